"""CSV files with a header, row by row, and lists of labels."""

import csv
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.base.text_file import open_text, read_text
from ast_edge.model.label import Label

MAY_COLUMNS = ("pack", "filename", "may")
MAY_SEPARATOR = ";"
"""Between labels, whose names may have commas in them."""


def read_rows(path: Path, columns: Collection[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file that has at least these columns.

    Raises:
        ConfigError: if it cannot be read, lacks a column or has one twice, or a row has more values
            than there are columns: a comma in a value was not quoted.
    """
    try:
        with open_text(path, newline="") as file:
            # With a space before its quote a value would end at its first comma.
            table = csv.DictReader(file, restval="", skipinitialspace=True)
            header = list(table.fieldnames or ())
            for name in columns:
                if header.count(name) != 1:
                    got = ", ".join(header) or "an empty file"
                    raise ConfigError(f"{path}: expected a column {name!r}, got {got}")
            for row in table:
                # What is too much stands under None: empty after a comma at the end of the line.
                if any(more := row.pop(None, [])):
                    raise ConfigError(
                        f"{path}:{table.line_num}: expected {len(header)} values, got "
                        f"{len(header) + len(more)}; a value with a comma in it needs quotes: "
                        '"Child speech, kid speaking"'
                    )
                yield row
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
            lines = read_text(path).splitlines()
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{path}: cannot be read: {exc}") from exc
        named = [(line.strip(), "") for line in lines if line.strip()]
    names = [label_name(name) for name, _ in named]
    if not names or len(set(names)) < len(names):
        twice = next((name for name in names if names.count(name) > 1), None)
        raise ConfigError(f"{path}: {f'names {twice!r} twice' if twice else 'names no label'}")
    mids = [mid for _, mid in named]
    return tuple(map(Label, range(len(names)), names, mids))


def label_name(text: str) -> str:
    """Give the one spelling of a name: an "é" may be one character, or two (as macOS has it)."""
    return unicodedata.normalize("NFC", text.strip())


def read_may(path: Path, pack: str) -> dict[str, list[str]]:
    """Read what labels may sound in recordings of a pack though its own table does not say so.

    Returns:
        Names of labels by file name; one for which the table has nothing has none.

    Raises:
        ConfigError: as `read_rows`.
    """
    return {
        row["filename"]: [one for one in row["may"].split(MAY_SEPARATOR) if one]
        for row in read_rows(path, MAY_COLUMNS)
        if row["pack"] == pack
    }
