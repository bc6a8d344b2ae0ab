"""Annotated recordings, what a tracker makes of them, and how right that is."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.progress import track

from ast_edge.engines.engine import Engine
from ast_edge.evaluation.counts import Counts, macro_f1, micro
from ast_edge.evaluation.detection_latency import first_detections, latencies
from ast_edge.evaluation.event_metrics import COLLARS, count_events
from ast_edge.evaluation.false_alarms import FalseAlarms, find_false_alarms
from ast_edge.evaluation.report import quantile
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.truth.annotations import find_labels, read_annotations, references
from ast_edge.evaluation.truth.unsure import Unsure, is_undecided, read_unsure
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.tuning.pieces import Pieces, cut
from ast_edge.tuning.trial import Recording, Trial, try_settings
from parts.replay import Replay, Variant, replay, score

SETS = ("events", "negatives")

Settings = Mapping[Label, TrackerSettings]


@dataclass(frozen=True)
class Run:
    """A bundle and how its scores are used."""

    bundle: Bundle
    engine: Engine
    variant: Variant


@dataclass(frozen=True, eq=False)
class Scene:
    """A recording, and what the tracker is fed in each run."""

    path: Path
    seconds: float
    truth: Mapping[Label, Sequence[Span]]
    replays: Mapping[str, Replay]
    unsure: Unsure = field(default_factory=dict)

    @property
    def is_negative(self) -> bool:
        """Whether nothing that has a label sounds in it."""
        return not any(self.truth.values())


@dataclass(frozen=True)
class Figures:
    """What one run with one choice of thresholds has shown."""

    events: tuple[Counts, ...]
    """Of each label; onset within 0.5 s, offset within 0.5 s or half the length."""
    onsets: Counts
    found: float
    """Share of the events that a detected one has to do with."""
    false_alarms: FalseAlarms
    in_negatives: FalseAlarms
    latencies: tuple[float, ...]

    @property
    def micro_f1(self) -> float:
        """F1 of all events."""
        return micro(self.events).f1 or 0.0

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the labels that have events."""
        return macro_f1(self.events) or 0.0

    @property
    def p95(self) -> float:
        """Seconds from onset to the telling, of all but the slowest twentieth; NaN for none."""
        seconds = quantile(self.latencies, 0.95)
        return float("nan") if seconds is None else seconds


def read_scenes(
    folder: Path,
    runs: Mapping[str, Run],
    hops: Iterable[float],
    minutes: int | None,
    ignored: Collection[str] = (),
) -> list[Scene]:
    """Score the recordings of a folder's `SETS`, each once for a bundle, and replay them.

    Args:
        folder: of two folders with annotated recordings.
        runs: by name; all bundles have the same labels.
        hops: seconds, all multiples of the shortest.
        minutes: how much of each set is taken; None for all.
        ignored: labels whose annotations are left out.

    Raises:
        EvaluationError: if the annotations cannot be used.
        AudioError: if a recording cannot be read.
    """
    first = next(iter(runs.values())).bundle
    scenes = []
    for name in SETS:
        table, doubtful = (folder / name / one for one in ("annotations.tsv", "unsure.tsv"))
        annotations = read_annotations(table)
        names = find_labels(annotations, first, first.labels, ignored)
        unsure = read_unsure(
            [doubtful] if doubtful.exists() else [],
            [table.parent / file for file in annotations],
            first,
            first.labels,
            ignored,
        )
        seconds = 0.0
        for file in track(annotations, f"{folder.name} {name}", transient=True):
            if minutes is not None and seconds >= 60 * minutes:
                break
            truth = {one: references(annotations[file], one, names) for one in first.labels}
            scene = _listen(table.parent / file, truth, runs, min(hops))
            scene = replace(scene, unsure=unsure[scene.path])
            seconds += scene.seconds
            scenes.append(scene)
    return scenes


def _listen(
    path: Path, truth: Mapping[Label, Sequence[Span]], runs: Mapping[str, Run], hop: float
) -> Scene:
    scored = {one.bundle.folder: one for one in runs.values()}
    windows = {key: score(path, one.bundle, one.engine, hop) for key, one in scored.items()}
    seconds = next(iter(windows.values()))[1]
    distinct = {(run.bundle.folder, run.variant): run for run in runs.values()}
    made = {
        key: replay(windows[key[0]][0], run.bundle, run.variant) for key, run in distinct.items()
    }
    replays = {name: made[run.bundle.folder, run.variant] for name, run in runs.items()}
    return Scene(path, seconds, truth, replays)


def trials_of(
    scenes: Sequence[Scene], run: str, settings: Settings, *, off_share: float | None, most: float
) -> tuple[list[Trial], Pieces]:
    """Try settings as `ast-edge tune` does; return also the pieces of the negatives."""
    recordings = {
        quiet: [
            Recording(one.replays[run].curve, one.seconds, {} if quiet else one.truth, one.unsure)
            for one in scenes
            if one.is_negative is quiet
        ]
        for quiet in (True, False)
    }
    rooms = [str(one.path) for one in scenes if one.is_negative]
    pieces = cut([one.seconds for one in recordings[True]], rooms)
    return try_settings(
        recordings[True], recordings[False], settings, pieces, off_share=off_share, most=most
    ), pieces


def measure(scenes: Sequence[Scene], run: str, settings: Settings) -> Figures:
    """Compare what is detected with these thresholds with what there is."""
    events, onsets = dict.fromkeys(settings, Counts()), Counts()
    found = 0
    alarms = list[int]()
    seconds = list[float]()
    for scene in scenes:
        detections = scene.replays[run].detect(settings)
        alarms.append(0)
        for label in settings:
            truth, unsure = scene.truth[label], scene.unsure.get(label, ())
            of_label = [
                one
                for one in detections
                if one.label == label and not is_undecided(truth, unsure, one.span)
            ]
            spans = [one.span for one in of_label]
            events[label] += count_events(truth, spans, COLLARS["event_500ms"])
            onsets += count_events(truth, spans, COLLARS["onset_500ms"])
            found += sum(one is not None for one in first_detections(truth, of_label))
            alarms[-1] += len(find_false_alarms(truth, spans))
            seconds += latencies(truth, of_label)
    hours = sum(one.seconds for one in scenes) / 3600
    quiet = sum(one.seconds for one in scenes if one.is_negative) / 3600
    return Figures(
        tuple(events.values()),
        onsets,
        found / max(onsets.references, 1),
        FalseAlarms(tuple(alarms), hours),
        FalseAlarms(
            tuple(n for n, one in zip(alarms, scenes, strict=True) if one.is_negative), quiet
        ),
        tuple(seconds),
    )
