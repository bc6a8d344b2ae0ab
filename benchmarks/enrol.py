"""Measure `ast-edge enrol`: sounds that `home` does not know, from 1, 3, 5 and 10 takes.

python benchmarks/enrol.py --repeats 5

What is learnt and tested never trained `home`, nor did another recording of its source: it is for
testing or validation in the recipe's packs, or stands in none of them. Six are kinds that are
no label of `home`, nor above or below one in AudioSet's ontology, and that did not choose how
`enrol` learns: those of which the most such sources are at hand, at most three of one corpus. Of
Crowd, Hammer and Chewing other recordings may have trained what `home` learns beside its labels,
and networks that it is built on have heard AudioSet: no kind of sound is quite unknown to it.

Takes of a kind are of different sources (another thing, place or recordist), and no source of a
take is tested. That is harder than one's own doorbell, so there are things as well: a broom, some
cutlery, how one person yawns. Takes of a thing and what is tested of it are different
recordings of one source, of which five are at hand at least; they are no labels of `home` either.

Other sound is the bundle's bank, at a wish of one alarm a day; what is tested beside the sound are
recordings of other kinds, and all other sounds here. Beside it stand prototypes: mean and deviation
of the log-mel bands of each take, of which the nearest counts. A folder of packs (`PACK/audio`,
`PACK/meta/PACK.csv`) is needed, where the recipe expects it; without, nothing is measured.
"""

import argparse
import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import AstError
from ast_edge.engines.config import EngineConfig
from ast_edge.enrolment.bank import read_bank
from ast_edge.enrolment.embedder import Embedder
from ast_edge.enrolment.learning import ON, Learnt, learn
from ast_edge.enrolment.rehearsal import rehearse
from ast_edge.enrolment.take import Take, read_take
from ast_edge.enrolment.variants import VariantMaker
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_edge.model.bundle import find_bundle, load_bundle
from ast_training.data.recordings import Recording, read_recordings
from ast_training.recipe.recipe import load_recipe

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
RECIPE = ROOT / "configs" / "train" / "home.yaml"
SOUNDS = {
    "Lip popping": (("nc_deeply_nonverbal", "Lip popping"),),
    "Tongue clicking": (("nc_deeply_nonverbal", "Tongue clicking"),),
    "Teeth grinding": (("nc_deeply_nonverbal", "Teeth grinding"),),
    "Crowd": (("free_misc_sfx", "Crowd"), ("nc_nonspeech100", "Crowd")),
    "Hammer": (("snu_floor", "floor_hammering"), ("free_snu_floor2", "Hammer")),
    "Chewing": (("kitchen20", "eat"), ("nc_kitchen20_rest", "Chewing, mastication")),
}
"""Kinds by their names: the packs, and what they call it."""
THINGS = {
    "A broom": ("free_kitchen20_own", "Sweeping", "kitchen20:D-Balai.m4a"),
    "Cutlery": ("free_kitchen20_own", "Cutlery, silverware", "kitchen20:Jaz-couverts2019"),
    "A bottle that is filled": ("unk_washroom_water", "Fill (with liquid)", "washrooms"),
    "A radio's chatter": ("events_cc", "radio_static_voice", "255851"),
    "Somebody who retches": ("events_cc", "vomit", "388525"),
    "Somebody's yawn": ("nc_deeply_nonverbal", "Yawn", "speaker:3JO1"),
    "An explosion of a game": ("unk_misc_sfx", "Explosion", "sounds/explosion"),
}
"""One thing each by its name: the pack, what that calls it, and the source."""
THING_TAKES = 3
"""At most: two recordings at least are tested."""
LEFT_OUT = frozenset({"scenes", "rir", "audioset"})
"""Packs that are no recordings of a kind of sound."""
SOURCES = ("source_id", "src_file", "fsid", "fsID")
"""Columns that say what a recording was made of."""
WISH = 1 / 24
MOST = 24
"""Recordings of one sound, of as many sources as can be."""
PER_PACK = 10
"""Recordings of other kinds, of each pack."""


@dataclass(frozen=True)
class Row:
    """A recording that trained nothing."""

    path: Path
    pack: str
    labels: frozenset[str]
    source: str


@dataclass(frozen=True, eq=False)
class Lesson:
    """A sound that was learnt from some takes."""

    sound: str
    count: int
    takes: Sequence[Take]
    sources: frozenset[str]
    learnt: Learnt
    seconds: float
    scores: list[float] = field(default_factory=list)
    """Of the recordings that are tested, in their order."""


def main() -> None:
    """Print a line for each number of takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help=f"a folder of packs ({DATA})")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="what says what trained")
    parser.add_argument("--bundle", default="home")
    parser.add_argument("--takes", type=int, nargs="*", default=(1, 3, 5, 10))
    parser.add_argument("--repeats", type=int, default=3, help="choices of takes (3)")
    parser.add_argument("--per-pack", type=int, default=PER_PACK, help=f"others ({PER_PACK})")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"skipped: there are no packs at {args.data}")
        return
    bundle = load_bundle(find_bundle(args.bundle))
    rows = list(_untrained(args.data, args.recipe))
    kinds_of = {n: _of_sound(rows, n) for n in SOUNDS if not bundle.find(n)}
    things = {n: _of_thing(rows, n) for n in THINGS}
    for name in [n for n, of_one in things.items() if len(of_one) < THING_TAKES + 2]:
        print(f"left out: of {name} there are {len(things.pop(name))} recordings")
    sounds = kinds_of | things
    others = _others(rows, args.per_pack)
    with closing(Embedder(bundle, EngineConfig())) as embedder:
        lessons = list(_learn(kinds_of, args.takes, args.repeats, embedder))
        few = [count for count in args.takes if count <= THING_TAKES]
        lessons += _learn(things, few, args.repeats, embedder)
        tested = [*(r for of_one in sounds.values() for r in of_one), *others]
        kinds = [*(n for n, of_one in sounds.items() for _ in of_one), *("" for _ in others)]
        kept, profiles, hours = _test(tested, lessons, embedder)
    print(f"{len(sounds)} sounds, {len(others)} other recordings, {hours * 60:.0f} min in all")
    for name, of_one in sounds.items():
        print(f"{name}: {len(of_one)} recordings of {len({r.source for r in of_one})} sources")
    judge = Judge([tested[i] for i in kept], [kinds[i] for i in kept], profiles, hours)
    for title, named in (("of a kind", kinds_of), ("of one thing", things)):
        print(
            f"\n| takes {title} | AP | of prototypes | recall | of prototypes | alarms an hour "
            "| seconds |"
        )
        print("|---|---|---|---|---|---|---|")
        for count in args.takes:
            asked = [one for one in lessons if one.count == count and one.sound in named]
            if asked:
                judge.print(asked, count, bundle.fbank)


@dataclass(frozen=True, eq=False)
class Judge:
    """What was tested: a row, its kind (empty for others) and its log-mel profile each."""

    rows: Sequence[Row]
    kinds: Sequence[str]
    profiles: NDArray[np.float32]
    hours: float

    def print(self, lessons: Sequence[Lesson], count: int, spec: FbankSpec) -> None:
        """Print how well sounds were found that were learnt from so many takes."""
        found = [self._figures(lesson, spec) for lesson in lessons]
        names = [lesson.sound for lesson in lessons]
        cells = [_with_interval(_of_each(names, [one[n] for one in found])) for n in range(4)]
        spread = np.mean(
            [
                np.std([f[0] for f, n in zip(found, names, strict=True) if n == name])
                for name in dict.fromkeys(names)
            ]
        )
        alarms = np.mean([one[4] for one in found]) / self.hours
        seconds = np.median([lesson.seconds for lesson in lessons])
        print(f"| {count} | {' | '.join(cells)} | {alarms:.2g} | {seconds:.1f} |", flush=True)
        each = _of_each(names, [one[0] for one in found])
        prototypes = _of_each(names, [one[1] for one in found])
        named = ", ".join(f"{n} {ap:.2f} ({prototypes[n]:.2f})" for n, ap in each.items())
        print(f"<!-- AP with {count} (prototypes): {named}; choices of takes {spread:.2f} -->")

    def _figures(self, lesson: Lesson, spec: FbankSpec) -> tuple[float, float, float, float, int]:
        """Return AP, that of prototypes, recall, that of prototypes, and alarms."""
        kinds, sources = np.array(self.kinds), np.array([row.source for row in self.rows])
        is_sound = (kinds == lesson.sound) & ~np.isin(sources, list(lesson.sources))
        is_other = kinds != lesson.sound
        scores = np.array(lesson.scores)
        sound, other = scores[is_sound], scores[is_other]
        alarms = int((other >= ON).sum())
        mean, scale = self.profiles[is_other].mean(axis=0), self.profiles[is_other].std(axis=0)
        places = (self.profiles - mean) / (scale + 1e-3)
        takes = (np.stack([_profile(take, spec) for take in lesson.takes]) - mean) / (scale + 1e-3)
        near = -np.linalg.norm(places[:, np.newaxis] - takes, axis=2).min(axis=1)
        line = np.sort(near[is_other])[::-1][alarms]  # with as many alarms
        return (
            average_precision(sound, other),
            average_precision(near[is_sound], near[is_other]),
            float((sound >= ON).mean()),
            float((near[is_sound] > line).mean()),
            alarms,
        )


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


def _learn(
    sounds: Mapping[str, Sequence[Row]], counts: Sequence[int], repeats: int, embedder: Embedder
) -> Iterator[Lesson]:
    """Learn every sound from so many takes of different sources, several times."""
    bundle, bank = embedder.bundle, read_bank(embedder.bundle)
    for name, rows in sounds.items():
        for count in counts:
            for repeat in range(repeats):
                chosen = _choose(rows, count, repeat)
                takes = [read_take(row.path, bundle.fbank) for row in chosen]
                started = time.monotonic()
                maker = VariantMaker(bundle.fbank, bundle.frames)
                learnt = learn(takes, bank, maker, embedder, WISH)
                seconds = time.monotonic() - started
                sources = frozenset(row.source for row in chosen)
                yield Lesson(name, count, takes, sources, learnt, seconds)


def _choose(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """Choose takes of different sources, and leave two of these for the test at least."""
    sources = list(dict.fromkeys(row.source for row in rows))
    order = np.random.default_rng(seed).permutation(len(sources))
    names = [sources[one] for one in order[: min(count, max(1, len(sources) - 2))]]
    return [next(row for row in rows if row.source == name) for name in names]


def _test(
    rows: Sequence[Row], lessons: Sequence[Lesson], embedder: Embedder
) -> tuple[list[int], NDArray[np.float32], float]:
    """Let all heads hear all recordings; return which could be read, their profiles, and hours."""
    kept, profiles, seconds = [], [], 0.0
    for number, row in enumerate(rows):
        try:
            take = read_take(row.path, embedder.bundle.fbank)
        except AstError:  # silent, too long
            continue
        heard = rehearse(take, embedder)
        for lesson in lessons:
            lesson.scores.append(heard.score(lesson.learnt.heads))
        kept.append(number)
        profiles.append(_profile(take, embedder.bundle.fbank))
        seconds += len(take.samples) / take.rate
    return kept, np.stack(profiles), seconds / 3600


def average_precision(sound: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Rate scores of the sound against those of other sound; ties count against it."""
    scores = np.concatenate([other, sound])
    right = np.repeat([0, 1], [len(other), len(sound)])[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return float(precision[right == 1].mean())


def _profile(take: Take, spec: FbankSpec) -> NDArray[np.float32]:
    """Return mean and deviation of the log-mel bands (2 * mels,), whatever the level."""
    bands = fbank(np.pad(take.sound, (0, max(0, spec.frame_length - len(take.sound)))), spec)
    bands = bands - bands.mean()
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0)])


def _of_sound(rows: Sequence[Row], name: str) -> list[Row]:
    """Return recordings that hold this sound and nothing else, the first of each source first."""
    found = [
        row
        for row in rows
        if any({label} == row.labels and pack == row.pack for pack, label in SOUNDS[name])
    ]
    order = {row.path: [r for r in found if r.source == row.source].index(row) for row in found}
    return sorted(found, key=lambda row: (order[row.path], str(row.path)))[:MOST]


def _of_thing(rows: Sequence[Row], name: str) -> list[Row]:
    """Return the recordings of a thing: each is a source of its own, so that no take is tested."""
    pack, label, source = THINGS[name]
    found = [row for row in rows if (row.pack, row.source) == (pack, source)]
    return [
        replace(row, source=str(row.path)) for row in found if row.labels == frozenset({label})
    ][:MOST]


def _others(rows: Sequence[Row], per_pack: int) -> list[Row]:
    """Choose recordings of each pack that hold none of the sounds."""
    ours = {label for names in SOUNDS.values() for _, label in names}
    ours |= {label for _, label, _ in THINGS.values()}
    found = []
    for pack in sorted({row.pack for row in rows}):
        of_pack = [row for row in rows if row.pack == pack and row.labels and not row.labels & ours]
        order = np.random.default_rng(1).permutation(len(of_pack))[:per_pack]
        found += [of_pack[one] for one in order]
    return found


def _untrained(data: Path, recipe: Path) -> Iterator[Row]:
    """Yield the recordings that trained nothing, nor any other of their source."""
    known = {one.path.resolve(): one for one in read_recordings(load_recipe(recipe).pack_set)}
    trained = {one.group for one in known.values() if one.split == "train"}
    for pack in sorted(folder.name for folder in data.iterdir() if folder.name not in LEFT_OUT):
        rows = list(_rows(data, pack))
        used = {row.source for row in rows if _group(known, row) in trained}
        yield from (row for row in rows if row.source not in used)


def _group(known: Mapping[Path, Recording], row: Row) -> str | None:
    one = known.get(row.path.resolve())
    return one.group if one else None


def _rows(data: Path, pack: str) -> Iterator[Row]:
    """Yield all recordings of a pack."""
    table = data / pack / "meta" / f"{pack}.csv"
    if not table.is_file():
        return
    with table.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            label = row.get("label") or row.get("category") or ""
            source = next(filter(None, (row.get(key) for key in SOURCES)), row["filename"])
            # Of noise through a floor: the place where it was made.
            place = source.removeprefix("position ").split("/")[0] if "snu" in pack else source
            path = data / pack / "audio" / row["filename"]
            yield Row(path, pack, frozenset(filter(None, label.split(";"))), place)


if __name__ == "__main__":
    main()
