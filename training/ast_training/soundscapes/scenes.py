"""Soundscapes as recordings of a minute with annotations, to evaluate a detector on."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from ast_training.soundscapes.composer import Composer, PlacedEvent

if TYPE_CHECKING:
    from _csv import Writer

SECONDS = 60.0
MERGE_SECONDS = 1.0
"""Sounds of one label with a shorter pause between them are one event: barks, knocks, steps."""
ANNOTATIONS = "annotations.tsv"
UNSURE = "unsure.tsv"
"""What may be heard as well, which nobody has said."""


def write_scenes(
    composer: Composer,
    folder: Path,
    labels: Mapping[int, str],
    *,
    minutes: int,
    events: float,
    others: float,
    seed: int,
) -> Path:
    """Write recordings and, as sed_eval and DESED have them, their annotations.

    `labels` names those that are annotated, by their number; what others there are is heard alone.
    The numbers of events, with and without a label, are drawn for each minute around their means.
    Return the path of the annotations (filename, onset, offset, event_label); a recording without
    events has a row without times. Beside it is `UNSURE`, a table like it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ANNOTATIONS
    with _table(path) as heard, _table(folder / UNSURE) as unsure:
        for number in range(minutes):
            rng = np.random.default_rng((seed, number))
            count, rest = int(rng.poisson(events)), int(rng.poisson(others))
            scape = composer.compose(SECONDS, count, rng, others=rest, whole=True)
            name = f"scene-{number:04d}.flac"
            soundfile.write(folder / name, scape.samples, composer.sample_rate)
            _write_rows(heard, name, scape.events, labels)
            _write_rows(unsure, name, scape.unsaid, labels)
    return path


@contextmanager
def _table(path: Path) -> "Iterator[Writer]":
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter="\t", lineterminator="\n")
        rows.writerow(["filename", "onset", "offset", "event_label"])
        yield rows


def _write_rows(
    rows: "Writer", name: str, events: Iterable[PlacedEvent], labels: Mapping[int, str]
) -> None:
    found = merged(one for one in events if one.label in labels)
    rows.writerows(
        [name, f"{one.onset:.3f}", f"{one.offset:.3f}", labels[one.label]] for one in found
    )
    if not found:
        rows.writerow([name, "", "", ""])


def merged(events: Iterable[PlacedEvent]) -> list[PlacedEvent]:
    """Join the events of a label that overlap or have a short pause between them."""
    last: dict[int, int] = {}
    joined: list[PlacedEvent] = []
    for event in sorted(events, key=lambda one: one.onset):
        position = last.get(event.label)
        if position is not None and event.onset - joined[position].offset < MERGE_SECONDS:
            before = joined[position]
            joined[position] = replace(before, offset=max(before.offset, event.offset))
        else:
            last[event.label] = len(joined)
            joined.append(event)
    return joined
