"""CSV files with a header, row by row."""

import csv
from collections.abc import Collection, Iterator
from pathlib import Path

from ast_edge.errors import ConfigError
from ast_edge.events import Label


def read_rows(path: Path, columns: Collection[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file that has at least these columns.

    Raises:
        ConfigError: if it cannot be read, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, restval="")
            missing = [name for name in columns if name not in (table.fieldnames or ())]
            if missing:
                raise ConfigError(
                    f"{path}: expected a column {missing[0]!r}, got "
                    f"{', '.join(table.fieldnames or ()) or 'an empty file'}"
                )
            yield from table
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise ConfigError(f"{path}: not a CSV file in UTF-8: {exc}") from exc


def read_labels(path: Path) -> tuple[Label, ...]:
    """Read a list of labels: one name on every line, or AudioSet's index, mid, display_name.

    Raises:
        ConfigError: if it cannot be read, is empty, or names a label twice.
    """
    if path.suffix == ".csv":
        rows = read_rows(path, ("index", "mid", "display_name"))
        named = [(row["display_name"], row["mid"]) for row in rows]
    else:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{path}: cannot be read: {exc}") from exc
        named = [(line.strip(), "") for line in lines if line.strip()]
    names = [name for name, _ in named]
    if not names or len(set(names)) < len(names):
        twice = next((name for name in names if names.count(name) > 1), None)
        raise ConfigError(f"{path}: {f'names {twice!r} twice' if twice else 'names no label'}")
    return tuple(Label(index, name, mid) for index, (name, mid) in enumerate(named))
