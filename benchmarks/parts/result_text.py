"""The tables of a result as Markdown, for the terminal."""

from parts.result import Result, Table


def as_markdown(result: Result) -> str:
    """Return all tables, and the machine."""
    return "\n\n".join([*map(table_as_markdown, result.tables), result.machine])


def table_as_markdown(table: Table) -> str:
    """Return one table with its caption and note."""
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    lines = [f"**{table.caption}**", "", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines + (["", table.note] if table.note else []))
