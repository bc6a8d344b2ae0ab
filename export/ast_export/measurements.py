"""What has been measured of a bundle elsewhere, for its description and its card."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ast_edge.errors import ConfigError
from ast_edge.evaluation.table import number_of

EVENT = "event_500ms"
"""Onset within 0.5 s, offset within 0.5 s or half of the length."""


def read_robustness(path: Path) -> dict[str, Any]:
    """Return the macro AP by condition and what sounds are taken for.

    Args:
        path: as `benchmarks/robustness.py --json` writes it.

    Raises:
        ConfigError: if it is something else.
    """
    tree = _read(path, "benchmarks/robustness.py --json")
    try:
        return {
            "robustness": {name: float(c["macro_ap"]) for name, c in tree["robustness"].items()},
            "confusions": {
                label: {str(other): float(share) for other, share in others}
                for label, others in tree["confusions"].items()
            },
        }
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ConfigError(
            f"{path}: expected what benchmarks/robustness.py --json writes, got a file that "
            f"does not fit: {exc!r}"
        ) from exc


def read_evaluation(path: Path) -> dict[str, Any]:
    """Return how many events of each label were found, and the false alarms of all.

    Args:
        path: as `ast-edge evaluate --json` writes it.

    Raises:
        ConfigError: if it is something else.
    """
    tree = _read(path, "ast-edge evaluate --json")
    try:
        return {
            "evaluation": {
                "model": str(tree["model"]),
                "annotations": str(tree["annotations"]),
                "recordings": int(tree["recordings"]),
                "hours": float(tree["hours"]),
                "negative_hours": float(tree["negative_hours"]),
                "micro_f1": tree["micro"][EVENT]["f1"],
                "macro_f1": tree["macro_f1"][EVENT],
                "false_alarms_per_hour": tree["false_alarms"]["per_hour"],
                "labels": {
                    name: {
                        "events": int(label["references"]),
                        "found": int(label["found"]),
                        "f1": label[EVENT]["f1"],
                        "false_alarms_per_hour": label["false_alarms"]["per_hour"],
                    }
                    for name, label in tree["labels"].items()
                },
            }
        }
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ConfigError(
            f"{path}: expected what `ast-edge evaluate --json` writes, got a file that "
            f"does not fit: {exc!r}"
        ) from exc


def measured_sections(metrics: dict[str, Any]) -> dict[str, list[str]]:
    """Write what has been measured as the sections of a card: lines of Markdown by title."""
    writers: dict[str, tuple[str, Callable[[Any], list[str]]]] = {
        "evaluation": ("As a detector", _detection),
        "robustness": ("Robustness", _robustness),
        "confusions": ("Known confusions", _confusions),
    }
    return {title: write(metrics[key]) for key, (title, write) in writers.items() if key in metrics}


def _read(path: Path, source: str) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: expected what `{source}` writes: {exc}") from exc
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected what `{source}` writes, got a {type(tree).__name__}")
    return tree


def _detection(evaluation: dict[str, Any]) -> list[str]:
    labels = evaluation["labels"].items()
    return [
        f"By `ast-edge evaluate`, with the settings of that run and the graph "
        f"{evaluation['model'][:16]}, on {evaluation['hours']:.1f} h "
        f"({number_of('recording', evaluation['recordings'])}, annotations "
        f"{evaluation['annotations'][:16]}), {evaluation['negative_hours']:.1f} h of them without "
        f"any of the labels: F1 of events {_two(evaluation['micro_f1'])} over all, "
        f"{_two(evaluation['macro_f1'])} as a mean of the labels (onset within 0.5 s, offset "
        f"within 0.5 s or half of the length); {evaluation['false_alarms_per_hour']:.1f} "
        "false alarms an hour of all labels together.",
        "",
        "| label | events | found | F1 | false alarms an hour |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {one['events']} | {one['found']} | {_two(one['f1'])} | "
            f"{_two(one['false_alarms_per_hour'])} |"
            for name, one in labels
        ),
    ]


def _robustness(conditions: dict[str, float]) -> list[str]:
    return [
        "Macro AP of recordings as they are and as they may reach a microphone, as "
        "`benchmarks/robustness.py` measured it.",
        "",
        "| condition | macro AP |",
        "|---|---|",
        *(f"| {name} | {ap:.2f} |" for name, ap in conditions.items()),
    ]


def _confusions(confusions: dict[str, dict[str, float]]) -> list[str]:
    return [
        "What is reported, besides or instead, in which share of a sound's recordings.",
        "",
        "| sound | reported as well |",
        "|---|---|",
        *(
            f"| {name} | {', '.join(f'{n} {share:.0%}' for n, share in others.items()) or 'none'} |"
            for name, others in confusions.items()
        ),
    ]


def _two(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
