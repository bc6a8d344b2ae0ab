"""Tables of recordings: text with a head, and tabs between its columns."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from ast_edge.base.text_file import open_text
from ast_edge.evaluation.errors import EvaluationError


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield of every row where it stands, for messages, and what is in these columns, stripped.

    Raises:
        EvaluationError: if it cannot be read, or its head lacks one of the columns.
    """
    try:
        with open_text(path, newline="") as file:
            rows = csv.DictReader(file, delimiter="\t")
            if missing := [name for name in columns if name not in (rows.fieldnames or [])]:
                raise EvaluationError(
                    f"{path}: expected a first line with {', '.join(columns)}, and tabs between "
                    f"them; got no {missing[0]}"
                )
            for row in rows:
                cells = [(row[column] or "").strip() for column in columns]
                yield f"{path}: line {rows.line_num}", cells
    except OSError as exc:
        raise EvaluationError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise EvaluationError(f"{path}: is not a table of text: {exc}") from exc
