"""Write docs/performance.md, and its plots, from the results that the benchmarks have saved.

    python benchmarks/report.py

What is written by hand stands in benchmarks/performance.md: the beginning, and after the line
`<!-- results -->` what was tried and what was left.
"""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from result import RESULTS, Plot, Result
from result_text import table_as_markdown

WRITTEN = Path(__file__).with_name("performance.md")
DOCS = Path(__file__).parents[1] / "docs"
ORDER = (
    *("engines", "stream", "latency", "scale", "footprint", "front_end"),
    *("robustness", "quality"),
)
"""What a reader asks first comes first; results of other names follow."""


def main() -> None:
    """Write the page."""
    write_report(read_results(RESULTS), WRITTEN.read_text(encoding="utf-8"), DOCS)


def read_results(folder: Path) -> dict[str, Result]:
    """Read all results of a folder, by the name of the file, in the order of the page."""
    names = sorted(path.stem for path in folder.glob("*.json"))
    names.sort(key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    return {name: Result.load(folder / f"{name}.json") for name in names}


def write_report(results: dict[str, Result], written: str, docs: Path) -> None:
    """Write `performance.md` and a folder of plots, in place of those that were there."""
    beginning, _, end = written.partition("<!-- results -->\n")
    pictures = docs / "performance"
    pictures.mkdir(parents=True, exist_ok=True)
    for old in pictures.glob("*.svg"):
        old.unlink()
    parts = [beginning.rstrip()]
    for name, result in results.items():
        parts.append(_section(name, result))
        for number, plot in enumerate(result.plots, 1):
            path = pictures / f"{name}-{number}.svg"
            draw(plot, path)
            parts.append(f"![{plot.caption}](performance/{path.name})")
    parts.append(end.strip())
    (docs / "performance.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _section(name: str, result: Result) -> str:
    heading = [f"## {result.title}", f"`{result.command}`, {result.date}, {result.machine}"]
    return "\n\n".join([*heading, *map(table_as_markdown, result.tables)])


def draw(plot: Plot, path: Path) -> None:
    """Draw curves, each marked where it was measured; the same curves give the same file."""
    with mpl.rc_context({"svg.hashsalt": plot.caption, "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for name, points in plot.series.items():
            axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=name)
        axes.set(xlabel=plot.x, ylabel=plot.y, title=plot.caption)
        if plot.logarithmic:
            axes.set_xscale("log", base=2)
            ticks = sorted({x for points in plot.series.values() for x, _ in points})
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if len(plot.series) > 1:
            axes.legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
