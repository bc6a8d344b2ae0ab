"""Text of strangers, as a terminal or a log may show it."""

from typing import Any


def printable(text: str) -> str:
    r"""Return the text with what a terminal would obey written out: "\x1b[2J", not a clear screen.

    That is all but letters, marks, numbers, signs and the plain space: control characters, line
    ends, and what turns the direction of writing.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def printable_tree(tree: Any) -> Any:  # noqa: ANN401 (of JSON)
    """Return a JSON document all of whose text is printable."""
    if isinstance(tree, str):
        return printable(tree)
    if isinstance(tree, dict):
        return {printable(key): printable_tree(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [printable_tree(value) for value in tree]
    return tree
