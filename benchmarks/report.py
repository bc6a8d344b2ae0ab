"""Write docs/performance.md, docs/cost.md and docs/quality.md, and their plots, from saved results.

    python benchmarks/report.py

What is written by hand stands in files of the same names beside this one: the beginning, and after
the line `<!-- results -->` the end.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from parts.result import RESULTS, Plot, Result, table_as_markdown

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
PAGES = {
    "performance": ("engines", "stream", "latency", "scale"),
    "cost": ("archive", "bulk_peers", "labels", "footprint", "front_end", "web"),
    "quality": ("teachers", "quality", "birdnet", "robustness"),
}
"""The results on each page; what a reader asks first comes first."""


def main() -> None:
    """Write the pages."""
    for page in PAGES:
        write_page(page, RESULTS, DOCS)


def write_page(page: str, results: Path, docs: Path) -> None:
    """Write a page and a folder of plots, in place of those that were there.

    Args:
        page: its name.
        results: folder; those that are not there yet are left out.
        docs: folder to write to.
    """
    written = HERE.joinpath(f"{page}.md").read_text(encoding="utf-8")
    beginning, _, end = written.partition("<!-- results -->\n")
    pictures = docs / page
    pictures.mkdir(parents=True, exist_ok=True)
    for old in pictures.glob("*.svg"):
        old.unlink()
    parts = [beginning.rstrip()]
    for name, result in read_results(results, PAGES[page]).items():
        parts.append(_section(result))
        for number, plot in enumerate(result.plots, 1):
            path = pictures / f"{name}-{number}.svg"
            draw(plot, path)
            parts.append(f"![{plot.caption}]({page}/{path.name})")
    parts.append(end.strip())
    docs.joinpath(f"{page}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def read_results(folder: Path, names: Sequence[str]) -> dict[str, Result]:
    """Read the results of these names that a folder has."""
    paths = {name: folder / f"{name}.json" for name in names}
    return {name: Result.load(path) for name, path in paths.items() if path.is_file()}


def _section(result: Result) -> str:
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
            figure.legend(frameon=False, loc="outside lower center", ncols=3)
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
