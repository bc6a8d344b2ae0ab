"""Measure `ast-edge enrol`: six sounds that a bundle does not know, from 1, 3, 5 and 10 takes.

python benchmarks/enrol.py --repeats 5

Takes are of different sources (another thing, place or recordist), and no source of a take is
tested: a kind of sound is learnt, which is harder than one's own doorbell. Other sound is the
bundle's bank, at a wish of one alarm a day; what is tested beside the sound are recordings of other
kinds, of other packs. Beside it stand prototypes: mean and deviation of the log-mel bands of each
take, of which the nearest counts. A folder of packs (`PACK/audio`, `PACK/meta/PACK.csv`) is needed;
without, nothing is measured.
"""

import argparse
import csv
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import AstError
from ast_edge.engines.config import EngineConfig
from ast_edge.enrolment.bank import read_bank
from ast_edge.enrolment.embedder import Embedder
from ast_edge.enrolment.learning import ON, learn
from ast_edge.enrolment.negatives import Negatives
from ast_edge.enrolment.rehearsal import Rehearsal, rehearse
from ast_edge.enrolment.take import Take, read_take
from ast_edge.enrolment.variants import VariantMaker
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_edge.model.bundle import find_bundle, load_bundle

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SOUNDS = {
    "Doorbell": (("doorbell_alarm_flush", "doorbell"), ("events_cc", "doorbell")),
    "Toilet flush": (("doorbell_alarm_flush", "toilet_flush"), ("unk_misc_sfx", "Toilet flush")),
    "Clapping": (("clap_knock_cough_laugh", "clapping"),),
    "Church bell": (("esc50", "church_bells"),),
    "Blender": (("kitchen20", "blender"),),
    "Chainsaw": (("esc50", "chainsaw"),),
}
"""Name: the packs, and what they call it."""
OTHERS = {
    "esc50": 60,
    "kitchen20": 60,
    "urbansound8k": 60,
    "dcase2016t2": 40,
    "backgrounds": 60,
    "nc_noice": 20,
    "speech_misc": 30,
    "speechcommands": 20,
    "clap_knock_cough_laugh": 20,
}
"""Recordings of other kinds that are tested as well."""
WORDS = ("church", "flush", "doorbell", "clap", "blender", "chainsaw")
"""What is in the label of any of the sounds."""
SOURCES = ("source_id", "src_file", "fsid")
"""Columns that say what a recording was made of."""
WISH = 1 / 24
MOST = 40
"""Recordings of one sound."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A recording, as it is learnt from and as the daemon would hear it."""

    take: Take
    source: str
    heard: Rehearsal


@dataclass
class Figures:
    """What was measured with some takes, a number for each sound and repeat."""

    sound: list[str]
    ap: list[float]
    prototype_ap: list[float]
    recall: list[float]
    prototype_recall: list[float]
    alarms: list[int]
    seconds: list[float]


def main() -> None:
    """Print a line for each number of takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help=f"a folder of packs ({DATA})")
    parser.add_argument("--bundle", default="home")
    parser.add_argument("--takes", type=int, nargs="*", default=(1, 3, 5, 10))
    parser.add_argument("--repeats", type=int, default=3, help="choices of takes (3)")
    parser.add_argument("--share", type=float, default=1.0, help="of the other recordings (1)")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"skipped: there are no packs at {args.data}")
        return
    bundle = load_bundle(find_bundle(args.bundle))
    known = [name for name in SOUNDS if bundle.find(name)]
    with closing(Embedder(bundle, EngineConfig())) as embedder:
        sounds = {n: _sound(args.data, n, embedder) for n in SOUNDS if n not in known}
        others = _others(args.data, embedder, args.share)
        minutes = sum(len(clip.take.samples) / clip.take.rate for clip in others) / 60
        print(f"{len(sounds)} sounds, {len(others)} other recordings ({minutes:.0f} min)")
        print("| takes | AP | of prototypes | recall | of prototypes | alarms an hour | seconds |")
        print("|---|---|---|---|---|---|---|")
        for count in args.takes:
            found = _measure(count, args.repeats, sounds, others, embedder)
            hours = sum(len(clip.take.samples) / clip.take.rate for clip in others) / 3600
            columns = (found.ap, found.prototype_ap, found.recall, found.prototype_recall)
            cells = " | ".join(_with_interval(_of_each(found.sound, c)) for c in columns)
            print(
                f"| {count} | {cells} "
                f"| {np.mean(found.alarms) / hours:.2g} | {np.median(found.seconds):.1f} |",
                flush=True,
            )
            named = ", ".join(f"{n} {ap:.2f}" for n, ap in _of_each(found.sound, found.ap).items())
            print(f"<!-- AP with {count}: {named} -->", flush=True)


def _of_each(sounds: Sequence[str], numbers: Sequence[float]) -> dict[str, float]:
    """Return the mean of each sound over its repeats."""
    return {
        name: float(np.mean([n for s, n in zip(sounds, numbers, strict=True) if s == name]))
        for name in dict.fromkeys(sounds)
    }


def _with_interval(of_each: Mapping[str, float]) -> str:
    """Return the mean over sounds and its 95 % interval: other sounds might have been asked for."""
    values = np.array(list(of_each.values()))
    drawn = np.random.default_rng(0).choice(values, (5000, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{values.mean():.2f} ({low:.2f} to {high:.2f})"


def _measure(
    count: int,
    repeats: int,
    sounds: dict[str, list[Clip]],
    others: Sequence[Clip],
    embedder: Embedder,
) -> Figures:
    """Learn every sound from so many takes, several times, and test it on the rest."""
    found = Figures([], [], [], [], [], [], [])
    bank = read_bank(embedder.bundle)
    for name, clips in sounds.items():
        rest = [*others, *(c for other, cs in sounds.items() if other != name for c in cs)]
        for repeat in range(repeats):
            chosen = _choose(clips, count, repeat)
            sources = {clip.source for clip in chosen}
            tested = [clip for clip in clips if clip.source not in sources]
            if not tested:
                continue
            found.sound.append(name)
            _learn_and_test(chosen, tested, rest, bank, embedder, found)
    return found


def _choose(clips: Sequence[Clip], count: int, seed: int) -> list[Clip]:
    """Choose takes of different sources, and leave two thirds of these for the test at least."""
    sources = list(dict.fromkeys(clip.source for clip in clips))
    order = np.random.default_rng(seed).permutation(len(sources))
    names = [sources[one] for one in order[: min(count, max(1, len(sources) - 2))]]
    return [next(clip for clip in clips if clip.source == name) for name in names]


def _learn_and_test(
    chosen: Sequence[Clip],
    tested: Sequence[Clip],
    rest: Sequence[Clip],
    bank: Negatives,
    embedder: Embedder,
    found: Figures,
) -> None:
    bundle = embedder.bundle
    started = time.monotonic()
    maker = VariantMaker(bundle.fbank, bundle.frames)
    learnt = learn([clip.take for clip in chosen], bank, maker, embedder, WISH)
    found.seconds.append(time.monotonic() - started)
    sound, other = (np.array([c.heard.score(learnt.heads) for c in cs]) for cs in (tested, rest))
    alarms = int((other >= ON).sum())
    found.ap.append(average_precision(sound, other))
    found.recall.append(float((sound >= ON).mean()))
    found.alarms.append(alarms)
    near = _prototypes([clip.take for clip in chosen], [clip.take for clip in rest], bundle.fbank)
    sound, other = (np.array([near(clip.take) for clip in clips]) for clips in (tested, rest))
    found.prototype_ap.append(average_precision(sound, other))
    line = np.sort(other)[::-1][alarms]  # with as many alarms
    found.prototype_recall.append(float((sound > line).mean()))


def average_precision(sound: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Rate scores of the sound against those of other sound; ties count against it."""
    scores = np.concatenate([other, sound])
    right = np.repeat([0, 1], [len(other), len(sound)])[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return float(precision[right == 1].mean())


def _prototypes(
    takes: Sequence[Take], other: Sequence[Take], spec: FbankSpec
) -> Callable[[Take], float]:
    """Return what says how near a recording is to the nearest take, in deviations of the others."""
    known = np.stack([_profile(take, spec) for take in other])
    mean, scale = known.mean(axis=0), known.std(axis=0) + 1e-3
    prototypes = np.stack([(_profile(take, spec) - mean) / scale for take in takes])

    def near(take: Take) -> float:
        place = (_profile(take, spec) - mean) / scale
        return -float(np.linalg.norm(prototypes - place, axis=1).min())

    return near


def _profile(take: Take, spec: FbankSpec) -> NDArray[np.float32]:
    """Return mean and deviation of the log-mel bands (2 * mels,), whatever the level."""
    bands = fbank(np.pad(take.sound, (0, max(0, spec.frame_length - len(take.sound)))), spec)
    bands = bands - bands.mean()
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0)])


def _sound(data: Path, name: str, embedder: Embedder) -> list[Clip]:
    rows = [row for pack, label in SOUNDS[name] for row in _rows(data, pack) if row[1] == label]
    return list(_clips(sorted(rows)[:MOST], embedder))


def _others(data: Path, embedder: Embedder, share: float) -> list[Clip]:
    found = []
    for pack, count in OTHERS.items():
        rows = [r for r in _rows(data, pack) if not any(word in r[1].lower() for word in WORDS)]
        order = np.random.default_rng(1).permutation(len(rows))[: round(count * share)]
        found += list(_clips([rows[one] for one in order], embedder))
    return found


def _clips(rows: Sequence[tuple[Path, str, str]], embedder: Embedder) -> Iterator[Clip]:
    for path, _, source in rows:
        try:
            take = read_take(path, embedder.bundle.fbank)
        except AstError:  # silent, too long
            continue
        yield Clip(take, source, rehearse(take, embedder))


def _rows(data: Path, pack: str) -> list[tuple[Path, str, str]]:
    """Return path, label and source of each recording of a pack."""
    with (data / pack / "meta" / f"{pack}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in rows:
        label = row.get("label") or row.get("category") or ""
        source = next(filter(None, (row.get(key) for key in SOURCES)), row["filename"])
        found.append((data / pack / "audio" / row["filename"], label, f"{pack}:{source}"))
    return found


if __name__ == "__main__":
    main()
