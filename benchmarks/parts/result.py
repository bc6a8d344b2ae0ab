"""What a benchmark found: tables and curves, kept as JSON for `benchmarks/report.py`.

A benchmark builds one `Result` and saves it; docs/performance.md and docs/cost.md are written from
the saved results alone, so that each can be measured again on its own.
"""

import json
import shlex
import sys
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from ast_edge.base.files import atomic_file
from ast_export.machine import describe_machine

RESULTS = Path(__file__).parents[1] / "results"


def command_line() -> str:
    """Return how the benchmark was called, but for the folders of this machine."""
    args = sys.argv[1:]
    for number, arg in enumerate(args):
        if arg.partition("=")[0] == "--results":
            args = args[:number] + args[number + (1 if "=" in arg else 2) :]
            break
    args = [Path(arg).name if Path(arg).is_absolute() else arg for arg in args]
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *args])


@dataclass(frozen=True)
class Table:
    """Rows of text under a caption; `note` is the sentence that says what they show.

    `doubts` are reasons why its ratios must not be compared with others, nor repeated elsewhere.
    """

    caption: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""
    doubts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plot:
    """Curves over one axis: `series` maps a name to its (x, y) points."""

    caption: str
    x: str
    y: str
    series: dict[str, list[tuple[float, float]]]
    logarithmic: bool = False


@dataclass
class Result:
    """What one benchmark found, how, where and when."""

    title: str
    command: str = field(default_factory=command_line)
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    machine: str = field(default_factory=describe_machine)
    date: str = field(default_factory=lambda: f"{datetime.now(timezone.utc):%Y-%m-%d}")

    def save(self, name: str, folder: Path = RESULTS) -> Path:
        """Write it to `<folder>/<name>.json`, in place of an older one, and return the path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.json"
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")
        return path

    @classmethod
    def load(cls, path: Path) -> "Result":
        """Read one that was saved."""
        tree = json.loads(path.read_text())
        tree["tables"] = [Table(**table) for table in tree["tables"]]
        tree["plots"] = [Plot(**plot) for plot in tree["plots"]]
        return cls(**tree)


def as_markdown(result: Result) -> str:
    """Return all tables, and the machine."""
    return "\n\n".join([*map(table_as_markdown, result.tables), result.machine])


def table_as_markdown(table: Table) -> str:
    """Return one table with its caption and note."""
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    lines = [f"**{table.caption}**", ""]
    if table.doubts:
        lines += [f"Its ratios are **not comparable**: {'; '.join(table.doubts)}.", ""]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines + (["", table.note] if table.note else []))
