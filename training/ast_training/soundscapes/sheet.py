"""A sheet of spectrograms with their annotations, to see what was composed."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile
from matplotlib.figure import Figure

from ast_edge.frontend.fbank import FbankSpec, fbank

ROWS = 8
DARKEST = 10.0
"""Natural-log energies below the loudest."""


def write_sheet(annotations: Path, path: Path, rows: int = ROWS) -> Path:
    """Draw the first recordings of an annotated folder into a PNG, and return its path."""
    events: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    with annotations.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            found = events[row["filename"]]
            if row["onset"]:
                found.append((float(row["onset"]), float(row["offset"]), row["event_label"]))
    names = list(events)[:rows]
    figure = Figure(figsize=(14, 1.9 * len(names)), layout="constrained")
    for axes, name in zip(figure.subplots(len(names), squeeze=False)[:, 0], names, strict=True):
        samples, rate = soundfile.read(annotations.parent / name, dtype="float32")
        features = fbank(samples, FbankSpec(sample_rate=rate))
        top = float(features.max())
        axes.imshow(
            features.T,
            origin="lower",
            aspect="auto",
            extent=(0, len(samples) / rate, 0, features.shape[1]),
            vmin=top - DARKEST,
            vmax=top,
            cmap="magma",
        )
        for number, (onset, offset, label) in enumerate(events[name]):
            height = 12 + 22 * (number % 5)
            axes.plot([onset, offset], [height, height], color="white", linewidth=2.5)
            axes.text(onset, height + 3, label, color="white", fontsize=7)
        axes.set_yticks([])
        axes.set_title(name, fontsize=8, loc="left")
        axes.set_xticks(np.arange(0, len(samples) / rate + 1, 10))
    figure.savefig(path, dpi=80)
    return path
