"""Measure teachers beside the student that they taught, on the scenes of `quality_curves.py`.

    python benchmarks/teachers.py --bundle home --recipe configs/train/home.yaml \
        --validation scenes/validation --test scenes/test

Each teacher of the recipe, all together, and a home teacher: logistic regression on the features
of the one that shows them, trained on the recipe's recordings for training, times what the teachers
say (geometric mean). Their half seconds go through the same tracker. Thresholds are chosen on the
validation recordings, as `ast-edge tune` does, and measured on the test ones.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from parts.held_out import HeldOut, clip_scores, label_aps, open_held_out, resampled
from parts.replay import Replay
from parts.result import RESULTS, Plot, Result, Table
from parts.scenes import Figures, Run, Scene, Settings, measure, read_scenes, trials_of
from quality_curves import COLUMNS, deployed_variant, row
from rich.progress import track
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.evaluation.curve import Curve
from ast_edge.model.bundle import find_bundle, load_bundle
from ast_edge.sources.recording import RecordingSource
from ast_edge.tuning.tuning import tune
from ast_training.recipe.recipe import Recipe, load_recipe
from ast_training.teacher.config import SHOWS_FEATURES, open_teachers
from ast_training.teacher.ensemble import Ensemble
from ast_training.teacher.grid import STEP_SECONDS, WINDOWS
from ast_training.teacher.heard import Heard, Teacher

WISHES = (0.2, 0.5, 1.0, 2.0, 6.0, 12.0, 30.0)
"""False alarms per hour of all labels together."""
LOWEST = 0.05
"""No threshold falls below this."""
STRENGTH = 0.003
"""Of the logistic regression (C): features are many and recordings few."""
SECONDS = 10.0
"""Of a recording that are scored."""
SHOWN = 100.0
"""False alarms per hour up to which curves are drawn: those of a MobileNet begin at ten times that,
for it is certain so often that no threshold silences it."""

Audio = NDArray[np.float32]
Scores = NDArray[np.float32]


class Once:
    """A teacher that does not listen to one sound again and again."""

    def __init__(self, teacher: Teacher) -> None:
        """Take the teacher."""
        self._teacher, self.labels = teacher, teacher.labels
        self._last: tuple[Audio, Heard] | None = None

    def hear(self, samples: Audio) -> Heard:
        """Listen to sounds (batch, samples), mono at 16 kHz."""
        if self._last is None or self._last[0] is not samples:
            self._last = samples, self._teacher.hear(samples)
        return self._last[1]


class Listener:
    """A teacher with a bundle's labels in place of its own."""

    def __init__(self, teacher: Teacher, labels: Sequence[str]) -> None:
        """Take the names of the bundle's labels; those that the teacher lacks score 0."""
        self._teacher = teacher
        place = {name: column for column, name in enumerate(teacher.labels)}
        self._columns = {n: place[name] for n, name in enumerate(labels) if name in place}
        self._count = len(labels)

    def hear(self, sound: Audio) -> tuple[Scores, Scores]:
        """Listen to one sound (1, samples).

        Returns:
            Scores of the sound as a whole (labels,), and of its half seconds (n, labels).
        """
        heard = self._teacher.hear(sound)
        clip = np.zeros(self._count, np.float32)
        steps = np.zeros((heard.steps.shape[1], self._count), np.float32)
        for ours, its in self._columns.items():
            clip[ours], steps[:, ours] = heard.clip[0, its], heard.steps[0, :, its]
        return clip, steps


class HomeTeacher:
    """Heads for the bundle's labels on the features of a teacher, mixed with the plain names."""

    def __init__(self, features: Teacher, names: Listener, train: HeldOut) -> None:
        """Train the heads on recordings; a label with fewer than two keeps its name alone."""
        self._features, self._names = features, names
        rows = track(range(len(train.targets)), "home teacher", transient=True)
        heard = [features.hear(train.samples(n)[None]).clip_features[0] for n in rows]
        found = np.stack(heard)
        self._heads = {}
        for label, targets in enumerate(train.targets.T):
            known = ~train.unknown[:, label]
            if targets[known].sum() >= 2:
                head = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=300)
                self._heads[label] = make_pipeline(StandardScaler(), head)
                self._heads[label].fit(found[known], targets[known])

    def hear(self, sound: Audio) -> tuple[Scores, Scores]:
        """Do the same as a `Listener`."""
        clip, steps = self._names.hear(sound)
        heard = self._features.hear(sound)
        local = heard.step_features[0].reshape(-1, heard.step_features.shape[-1])
        for label, head in self._heads.items():
            whole = head.predict_proba(heard.clip_features)[:, 1]
            parts = head.predict_proba(local)[:, 1].reshape(-1, len(WINDOWS))
            clip[label] = np.sqrt(clip[label] * whole[0])
            steps[:, label] = np.sqrt(steps[:, label] * np.sqrt(parts.prod(axis=1)))
        return clip, steps


Hear = Callable[[Audio], tuple[Scores, Scores]]


def main() -> None:
    """Score, choose, measure, and write what was found."""
    args = _arguments()
    bundle = load_bundle(find_bundle(args.bundle))
    engine = open_engine(bundle, EngineConfig(threads=args.threads))
    runs = {bundle.name: Run(bundle, engine, deployed_variant(bundle))}
    recipe = load_recipe(args.recipe)
    held_out = open_held_out(recipe, bundle, ["test"], SECONDS)
    others = _listeners(recipe, open_held_out(recipe, bundle, ["train"], SECONDS))
    validation, test = (
        _with_teachers(read_scenes(folder, runs, [0.5], args.minutes, args.ignore), others)
        for folder in (args.validation, args.test)
    )
    names = (bundle.name, *others)
    found = {
        (name, wish): figures
        for name in names
        for wish, figures in _measured(validation, test, name, bundle.settings)
    }
    rows = [[name, f"{wish:g} an hour", *row(one)] for (name, wish), one in found.items()]
    scores = _clip_scores(held_out, others)
    indices = range(len(held_out.targets))
    own = clip_scores(held_out, indices, lambda _, sound: sound, bundle, engine)
    tables = [
        Table("Events", ["", "thresholds for", *COLUMNS], rows, _note(test)),
        _clips(held_out, {bundle.name: own} | scores),
    ]
    curves = {name: [one for (other, _), one in found.items() if other == name] for name in names}
    plot = Plot(
        "micro F1 against false alarms",
        "false alarms an hour",
        "event F1, micro",
        {name: points for name, curve in curves.items() if (points := _drawn(curve))},
    )
    command = f"python benchmarks/teachers.py --bundle {bundle.name}"
    result = Result(f"{bundle.name} beside its teachers", command, tables, [plot])
    print(result.save("teachers", args.results))


def _drawn(curve: Sequence[Figures]) -> list[tuple[float, float]]:
    points = [(one.false_alarms.per_hour or 0.0, one.micro_f1) for one in curve]
    return sorted(point for point in points if point[0] <= SHOWN)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="home")
    parser.add_argument("--recipe", type=Path, required=True, help="its teachers and recordings")
    parser.add_argument("--validation", type=Path, required=True, help="to choose thresholds by")
    parser.add_argument("--test", type=Path, required=True, help="to measure on")
    parser.add_argument("--minutes", type=int, help="taken of each set of recordings (all)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ignore", metavar="LABEL", action="append", default=[])
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def _listeners(recipe: Recipe, train: HeldOut) -> dict[str, Hear]:
    """Open the teachers of a recipe: each, all, and a home teacher."""
    opened = {one: Once(open_teachers([config])) for one, config in enumerate(recipe.teachers)}
    both = Listener(Ensemble(list(opened.values())), train.labels)
    shows = [n for n, one in enumerate(recipe.teachers) if one.kind == SHOWS_FEATURES]
    features = opened[shows[0]]
    single = {
        " ".join(dict.fromkeys([config.kind, config.weights.stem])): opened[n]
        for n, config in enumerate(recipe.teachers)
    }
    found: dict[str, Hear] = {k: Listener(v, train.labels).hear for k, v in single.items()}
    return {
        **found,
        "all teachers": both.hear,
        "home teacher": HomeTeacher(features, both, train).hear,
    }


def _with_teachers(scenes: Sequence[Scene], others: dict[str, Hear]) -> list[Scene]:
    """Let the teachers hear scenes as well."""
    return [
        replace(one, replays={**one.replays, **_replays(one.path, others)})
        for one in track(scenes, "teachers", transient=True)
    ]


def _clip_scores(held_out: HeldOut, others: dict[str, Hear]) -> dict[str, Scores]:
    """Return what the teachers say of recordings as a whole, each (recordings, labels)."""
    scores: dict[str, list[Scores]] = {name: [] for name in others}
    for index in track(range(len(held_out.targets)), "recordings", transient=True):
        sound = held_out.samples(index)[None]
        for name, hear in others.items():
            scores[name].append(hear(sound)[0])
    return {name: np.stack(found) for name, found in scores.items()}


def _replays(path: Path, others: dict[str, Hear]) -> dict[str, Replay]:
    """Return what a tracker would be fed with a recording."""
    blocks = list(RecordingSource(path.stem, path, pace="fast").blocks())
    sound = np.concatenate([block.samples[:, 0] for block in blocks])[None]
    made = {}
    for name, hear in others.items():
        scores = hear(sound)[1]
        onsets = STEP_SECONDS * np.arange(len(scores))
        ends = onsets + (STEP_SECONDS + max(WINDOWS)) / 2
        made[name] = Replay(Curve(onsets, onsets + STEP_SECONDS, ends, scores), ends)
    return made


def _measured(
    validation: Sequence[Scene], test: Sequence[Scene], name: str, settings: Settings
) -> Iterator[tuple[float, Figures]]:
    trials, pieces = trials_of(validation, name, settings, off_share=None, most=max(WISHES))
    for wish in WISHES:
        tuning = tune(trials, pieces, wish, lowest=LOWEST, sure=False)
        figures = measure(test, name, {one.label: one.after for one in tuning.labels})
        print(f"{name}, wish {wish:g}: {' | '.join(row(figures))}", flush=True)
        yield wish, figures


def _note(scenes: Sequence[Scene]) -> str:
    minutes = [sum(s.seconds for s in scenes if s.is_negative == quiet) / 60 for quiet in (0, 1)]
    events = sum(len(spans) for one in scenes for spans in one.truth.values())
    return f"{minutes[0]:.0f} minutes with {events} events, {minutes[1]:.0f} without."


def _clips(held_out: HeldOut, scores: dict[str, Scores]) -> Table:
    """Rate all on the recordings that nothing was trained on or chosen by."""
    aps = {name: label_aps(held_out, one) for name, one in scores.items()}
    intervals = {
        name: resampled(held_out, one).macro_interval() or (0.0, 1.0)
        for name, one in scores.items()
    }
    means = {
        name: f"**{np.nanmean(one):.3f}** ({intervals[name][0]:.3f} to {intervals[name][1]:.3f})"
        for name, one in aps.items()
    }
    cells = [["**macro**", "", *means.values()]]
    for n, label in enumerate(held_out.labels):
        sources = len(set(held_out.sources(n)))
        cells.append([label, str(sources), *(_figure(one[n]) for one in aps.values())])
    return Table(
        f"Average precision on {len(held_out.targets)} held-out recordings",
        ["", "sources", *aps],
        cells,
        "Of the bundle the highest of a recording's windows of 4 s, one a second.",
    )


def _figure(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"


if __name__ == "__main__":
    main()
