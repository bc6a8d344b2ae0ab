"""What has been measured of a bundle elsewhere, for its description and its card."""

import json
from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ast_edge.base.errors import ConfigError
from ast_edge.model.bundle import Bundle

EVENT = "event_500ms"
"""Onset within 0.5 s, offset within 0.5 s or half of the length."""
ANOTHER = "another graph, or one that the file does not name,"
"""What figures are of whose file does not prove that they are this graph's."""


def read_robustness(path: Path, bundle: Bundle) -> dict[str, Any]:
    """Return the macro AP by condition and what sounds are taken for.

    Args:
        path: as `benchmarks/robustness.py --json` writes it.
        bundle: that it is said of; whether it was measured of it, is checked.

    Raises:
        ConfigError: if it is something else, or of other labels.
    """
    tree = _read(path, "benchmarks/robustness.py --json")
    try:
        confusions = {
            label: {str(other): float(share) for other, share in others}
            for label, others in tree["confusions"].items()
        }
        _check_labels(path, confusions, bundle)
        return {
            "robustness": {name: float(c["macro_ap"]) for name, c in tree["robustness"].items()},
            "robustness_is_of_this": _graph_of(tree) == bundle.sha256,
            "confusions": confusions,
        }
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ConfigError(
            f"{path}: expected what benchmarks/robustness.py --json writes, got a file that "
            f"does not fit: {exc!r}"
        ) from exc


def read_evaluation(path: Path, bundle: Bundle) -> dict[str, Any]:
    """Return how many events of each label were found, and the false alarms of all.

    Args:
        path: as `ast-edge evaluate --json` writes it.
        bundle: that it is said of; whether it was measured of it, with its settings, is checked.

    Raises:
        ConfigError: if it is something else, or of other labels.
    """
    tree = _read(path, "ast-edge evaluate --json")
    try:
        _check_labels(path, tree["labels"], bundle)
        settings = {label.name: asdict(one) for label, one in bundle.settings.items()}
        used = tree.get("settings", {})
        return {
            "evaluation": {
                "is_of_this": _graph_of(tree) == bundle.sha256,
                "with_these_thresholds": bool(used)
                and all(used.get(name) == settings.get(name) for name in tree["labels"]),
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


def _graph_of(tree: dict[str, Any]) -> str | None:
    """Return the sum of the graph that was measured; None where the file does not name it."""
    sha256: str | None = tree.get("bundle", {}).get("sha256")
    return sha256


def _check_labels(path: Path, names: Collection[str], bundle: Bundle) -> None:
    known = {label.name for label in bundle.labels}
    if names and not known & set(names):
        raise ConfigError(f"{path}: was measured of other labels: {min(names)!r} is none of ours")


def measured_sections(metrics: dict[str, Any]) -> dict[str, list[str]]:
    """Write what has been measured as the sections of a card: lines of Markdown by title."""
    writers: dict[str, tuple[str, Callable[[dict[str, Any]], list[str]]]] = {
        "evaluation": ("As a detector", _detection),
        "robustness": ("Robustness", _robustness),
        "confusions": ("Known confusions", _confusions),
    }
    return {title: write(metrics) for key, (title, write) in writers.items() if key in metrics}


def _read(path: Path, source: str) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: expected what `{source}` writes: {exc}") from exc
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected what `{source}` writes, got a {type(tree).__name__}")
    return tree


def _detection(metrics: dict[str, Any]) -> list[str]:
    evaluation = metrics["evaluation"]
    labels = evaluation["labels"].items()
    what = "This graph" if evaluation["is_of_this"] else ANOTHER.capitalize()
    how = "the thresholds above"
    if not evaluation["with_these_thresholds"]:
        how = "thresholds that are others or not named,"
    return [
        f"{what} with {how} on {evaluation['hours']:.1f} h of recordings, "
        f"{evaluation['negative_hours']:.1f} h of them without any of these sounds "
        f"(`ast-edge evaluate`): F1 of events {_two(evaluation['micro_f1'])} over all, "
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


def _robustness(metrics: dict[str, Any]) -> list[str]:
    what = "this graph" if metrics["robustness_is_of_this"] else ANOTHER
    return [
        f"Macro AP of {what} on recordings as they are and as they may reach a microphone "
        "(`benchmarks/robustness.py`).",
        "",
        "| condition | macro AP |",
        "|---|---|",
        *(f"| {name} | {ap:.2f} |" for name, ap in metrics["robustness"].items()),
    ]


def _confusions(metrics: dict[str, Any]) -> list[str]:
    return [
        "What is reported, besides or instead, in which share of a sound's recordings.",
        "",
        "| sound | reported as well |",
        "|---|---|",
        *(
            f"| {name} | {', '.join(f'{n} {share:.0%}' for n, share in others.items()) or 'none'} |"
            for name, others in metrics["confusions"].items()
        ),
    ]


def _two(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
