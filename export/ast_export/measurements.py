"""What has been measured of a bundle elsewhere, for its description and its card."""

import json
from pathlib import Path
from typing import Any

from ast_edge.errors import ConfigError

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


def _read(path: Path, source: str) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: expected what `{source}` writes: {exc}") from exc
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected what `{source}` writes, got a {type(tree).__name__}")
    return tree
