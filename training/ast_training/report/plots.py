"""Plots of the evaluation report, as SVG to stand in an HTML page.

Text and lines take their colours from the page (`--ink`, `--line`, …), so that they follow it from
light to dark. No text of users is drawn, since fonts lack some of it: it belongs in the page, and
in the description that a screen reader speaks.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape
from io import StringIO

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

INK, LINE, ACCENT, SECOND = "#010101", "#020202", "#030303", "#040404"
"""Stand-ins for the page's colours, which matplotlib does not know."""
PAGE_COLOURS = {
    INK: "var(--ink)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    SECOND: "var(--second)",
}
STYLE = {
    "axes.edgecolor": LINE,
    "axes.formatter.limits": (-3, 5),
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.color": LINE,
    "ytick.labelcolor": INK,
}
CURVE_POINTS = 400
LOUDNESS_RANGE = 14.0
"""Natural-log energies below the loudest that a spectrogram shows: about 60 dB."""
PANELS = {
    "loss": ("loss", "valid_loss"),
    "metric": ("map", "accuracy"),
    "events": ("events", "psds1"),
    "learning rate": ("lr",),
}
"""Columns of a run's metrics.csv that stand in one panel."""


def training_curves(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Draw loss, metrics and learning rate over the epochs, as far as the rows have them."""
    pictures = []
    for title, columns in PANELS.items():
        if found := [column for column in columns if any(row.get(column) for row in rows)]:
            pictures.append(_curves(rows, title, found))
    return pictures


def _curves(rows: Sequence[Mapping[str, str]], title: str, columns: Sequence[str]) -> str:
    figure = Figure(figsize=(3.6, 2.4), layout="constrained")
    with style.context(STYLE):
        axes = figure.subplots()
        for column, colour in zip(columns, (ACCENT, SECOND), strict=False):
            drawn = [(float(row["epoch"]), float(row[column])) for row in rows if row.get(column)]
            axes.plot(*zip(*drawn, strict=True), ".-", color=colour, label=column)
        axes.set(title=title, xlabel="epoch", ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(columns) > 1:
            axes.legend()
        return _svg(figure, f"{title} ({', '.join(columns)}) over {len(rows)} epochs")


def precision_recall(
    recall: NDArray[np.float64], precision: NDArray[np.float64], description: str
) -> str:
    """Draw precision over recall, both in the order of scikit-learn: from full recall to none."""
    figure = Figure(figsize=(2.2, 1.9), layout="constrained")
    with style.context(STYLE):
        axes = figure.subplots()
        axes.step(*_thinned(recall, precision), where="post", color=ACCENT)
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.04))
        axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        return _svg(figure, description)


def spectrogram(fbank: NDArray[np.float32], frame_shift: float, description: str) -> str:
    """Draw a filterbank (frames, mels) of natural-log energies; `frame_shift` in seconds."""
    figure = Figure(figsize=(4.2, 1.7), layout="constrained")
    with style.context([STYLE, {"axes.grid": False}]):
        axes = figure.subplots()
        loudest = float(fbank.max())
        axes.imshow(
            fbank.T,
            aspect="auto",
            cmap="magma",
            extent=(0, len(fbank) * frame_shift, 0, fbank.shape[1]),
            origin="lower",
            vmin=loudest - LOUDNESS_RANGE,
            vmax=loudest,
        )
        axes.set(xlabel="time in s", ylabel="mel bin")
        return _svg(figure, description)


def _thinned(
    recall: NDArray[np.float64], precision: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Take evenly spaced points of a long curve, so that it looks the same in less of a file."""
    if len(recall) <= CURVE_POINTS:
        return recall, precision
    chosen = np.searchsorted(-recall, np.linspace(-1, 0, CURVE_POINTS), side="right") - 1
    chosen = np.unique([0, *chosen])
    return recall[chosen], precision[chosen]


def _svg(figure: Figure, description: str) -> str:
    """Render for a page: without prolog, fixed size and ids that would occur twice in it."""
    text = StringIO()
    # The salt makes the ids of clip paths differ between pictures, and stay from run to run.
    with style.context({"svg.hashsalt": description}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style .*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r' id="[\w.]+_\d+"', "", svg)
    for stand_in, colour in PAGE_COLOURS.items():
        svg = svg.replace(stand_in, colour)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(description)}" ', 1)
