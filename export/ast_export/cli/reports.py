"""Parity as a table in the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ast_export.parity import Parity


def print_reports(reports: "Sequence[Parity]") -> None:
    """Print how far each engine is from the reference, and whether that is near enough."""
    measured = any(report.map is not None for report in reports)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))  # fits 80 columns
    table.add_column("engine", no_wrap=True)
    framed = any(report.frame is not None for report in reports)
    numbers = ["max |Δp|", *(["frame"] * framed), "limit", "mean", "top 1", "top 5"]
    numbers += ["mAP", "change"] * measured
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for report in reports:
        table.add_row(
            *_row(report, measured=measured, framed=framed), "holds" if report.holds else "FAILS"
        )
    Console(highlight=False).print(table)


def _row(report: "Parity", *, measured: bool, framed: bool) -> list[str]:
    frame = "" if report.frame is None else f"{report.frame:.1e}"
    row = [
        f"{report.engine} {report.precision}",
        f"{report.largest:.1e}",
        *([frame] * framed),
        f"{report.limit:.0e}",
        f"{report.mean:.1e}",
        f"{report.top1:.1%}",
        f"{report.top5:.1%}",
    ]
    if not measured:
        return row
    if report.map is None or report.map_change is None:
        return [*row, "", ""]
    return [*row, f"{report.map:.4f}", f"{report.map_change:+.4f}"]
