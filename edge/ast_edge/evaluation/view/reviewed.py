"""What reviews say of the reported events, for people and programs."""

from collections.abc import Sequence
from typing import Any

from ast_edge.base.printable import printable
from ast_edge.evaluation.precision import Precision, count, precisions
from ast_edge.outputs.reviews import ReviewBook

HEADINGS = ("label", "reviewed", "right", "precision (95 %)", "days", "the wrong ones were")
NOTE = (
    "Precision: the share of reviewed events that were right; the interval is exact for so few, if "
    "events were reviewed by chance and are no repeats of one another. What was missed cannot be "
    "known from reviews: they are of what was reported (`ast-edge evaluate --annotations` counts "
    "it)."
)
_SHOWN = 3


def review_rows(book: ReviewBook) -> list[tuple[str, ...]]:
    """Return a row for each label, then one over all of them."""
    labels = precisions(book.reviews)
    total = [count("all", book.reviews)] if len(labels) > 1 else []
    return [_row(one) for one in [*labels, *total]]


def review_notes(book: ReviewBook) -> list[str]:
    """Say what the figures mean, and what was left out."""
    bundles = sorted({one.bundle for one in book.reviews if one.bundle})
    several = ", ".join(map(printable, bundles))
    mixed = [f"events of several bundles are counted together: {several}"]
    return [NOTE, *(mixed if len(bundles) > 1 else []), *book.notes]


def review_tree(book: ReviewBook) -> dict[str, Any]:
    """Return all figures as JSON has them; what was missed is null."""
    return {
        "reviewed": _figures(count("all", book.reviews)),
        "labels": {one.label: _figures(one) for one in precisions(book.reviews)},
        "damaged_lines": len(book.damaged),
    }


def _row(one: Precision) -> tuple[str, ...]:
    low, high = one.interval
    return (
        printable(one.label),
        str(one.reviewed),
        str(one.right),
        f"{one.share:.2f} ({low:.2f} to {high:.2f})",
        str(one.days),
        _list(one.was),
    )


def _list(was: Sequence[tuple[str, int]]) -> str:
    shown = ", ".join(f"{printable(name)} {times}" for name, times in was[:_SHOWN])
    return shown + (", …" if len(was) > _SHOWN else "")


def _figures(one: Precision) -> dict[str, Any]:
    return {
        "right": one.right,
        "wrong": one.wrong,
        "precision": one.share,
        "interval_95": list(one.interval),
        "days": one.days,
        "was": dict(one.was),
        "missed": None,
    }
