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
    table = Table(box=None, pad_edge=False)
    table.add_column("engine", no_wrap=True)
    for heading in ("largest |Δp|", "limit", "mean |Δp|", "top 1", "top 5"):
        table.add_column(heading, justify="right", no_wrap=True)
    if measured:
        table.add_column("mAP", justify="right", no_wrap=True)
    table.add_column("")
    for report in reports:
        table.add_row(*_row(report, measured), "holds" if report.holds else "FAILS")
    Console(highlight=False, width=None).print(table)


def _row(report: "Parity", measured: bool) -> list[str]:
    largest = f"{report.not_finite} not finite" if report.not_finite else f"{report.largest:.1e}"
    row = [
        f"{report.engine} {report.precision}",
        largest,
        f"{report.limit:.0e}",
        f"{report.mean:.1e}",
        f"{report.top1:.1%}",
        f"{report.top5:.1%}",
    ]
    if measured:
        known = report.map is not None and report.map_change is not None
        row.append(f"{report.map:.4f} ({report.map_change:+.4f})" if known else "")
    return row
