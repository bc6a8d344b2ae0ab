"""Results: the headline figures of models side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from ast_training.measure.metrics import Metrics

COLUMNS = ("model", "mAP", "AUC", "d'", "accuracy")


@dataclass(frozen=True)
class Result:
    """One model's headline figures, ours or published ones; None where there is none."""

    name: str
    macro_ap: float | None = None
    auc: float | None = None
    d_prime: float | None = None
    accuracy: float | None = None

    @classmethod
    def of(cls, name: str, metrics: Metrics) -> "Result":
        """Take the figures of a model that was measured."""
        return cls(
            name=name,
            macro_ap=metrics.mean_average_precision,
            auc=metrics.mean_auc,
            d_prime=metrics.d_prime,
            accuracy=metrics.accuracy,
        )

    def cells(self) -> tuple[str, ...]:
        """Format the row of a table under `COLUMNS`."""
        return (
            self.name,
            figure(self.macro_ap, 4),
            figure(self.auc, 4),
            figure(self.d_prime, 3),
            figure(self.accuracy, 4),
        )


def figure(value: float | None, digits: int) -> str:
    """Format a figure; a dash stands for one that is not defined."""
    return "-" if value is None or isnan(value) else f"{value:.{digits}f}"


def markdown_table(results: Sequence[Result]) -> str:
    """Write the Markdown table of the results under `COLUMNS`."""
    return markdown([COLUMNS, *(result.cells() for result in results)])


def markdown(rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """Write a Markdown table that also reads well in a terminal.

    Args:
        rows: the cells of the header and of every row below it.
        names: columns that stand on the left; figures, in the others, stand on the right.
    """
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = ["<" if column < names else ">" for column in range(len(widths))]
    lines = [
        "| " + " | ".join(f"{c:{s}{w}}" for c, s, w in zip(row, sides, widths, strict=True)) + " |"
        for row in cells
    ]
    ends = ["-" if side == "<" else ":" for side in sides]
    rule = "|" + "|".join("-" * (w + 1) + end for w, end in zip(widths, ends, strict=True)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"
