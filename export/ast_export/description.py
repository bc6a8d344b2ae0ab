"""What `bundle.json` says of a bundle."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ast_edge.bundle import FORMAT, FRONT_END, FrameScores, Precision, file_sha256
from ast_edge.config import load_config
from ast_edge.errors import ConfigError
from ast_edge.tracker import TrackerSettings, override
from ast_export.compression import Storage
from ast_training.checkpoint import Checkpoint
from ast_training.held_out_metrics import MEASURED_ON

PUBLISHED = ("macro_ap", "macro_ap_interval", "recordings", "sources", MEASURED_ON, "labels")
"""Of a checkpoint's metrics."""


def describe(
    members: Sequence[Checkpoint],
    folder: Path,
    name: str,
    precision: Precision,
    weights: Storage,
    frame: FrameScores = "none",
    *,
    clip_gate: bool = False,
) -> dict[str, Any]:
    """Return `bundle.json` but for the parity; the graph is in `folder` already."""
    first = members[0]
    metrics = first.metrics if len(members) == 1 else {}  # an ensemble has not been measured
    return {
        "format": FORMAT,
        "name": name,
        "fbank": {"kind": FRONT_END} | asdict(first.fbank),
        "members": [asdict(member.model) for member in members],
        "precision": precision,
        "frame": frame,
        "clip_gate": clip_gate,
        "weights": weights if precision == "fp32" else precision,
        "labels": _labels(members),
        "calibration": _calibration(members),
        # An imported or averaged model has none.
        "metrics": {key: metrics[key] for key in PUBLISHED if key in metrics},
        "provenance": _provenance(members),
        "licence": "; ".join(dict.fromkeys(_licence(member) for member in members)),
        "files": {path.name: file_sha256(path) for path in sorted(folder.glob("model.onnx*"))},
    }


def follow_settings(tree: dict[str, Any], path: Path) -> None:
    """Let a bundle's labels become events as the `labels` of a configuration do.

    Raises:
        ConfigError: if the file cannot be used, or names a label that the bundle has not.
    """
    given = load_config(path).labels
    entries = {entry["name"]: entry for entry in tree["labels"]}
    for name, section in given.items():
        if name not in entries:
            raise ConfigError(f"{path}: labels.{name}: not a label of this model")
        entry = entries[name]
        changes = (
            {} if section is None else {key: getattr(section, key) for key in entry["settings"]}
        )
        entry["settings"] = asdict(override(TrackerSettings(**entry["settings"]), **changes))
    tree["calibration"] += (
        f"; thresholds of {len(given)} of {len(entries)} labels are those of `{path.name}`"
    )


def _labels(members: Sequence[Checkpoint]) -> list[dict[str, Any]]:
    settings = asdict(TrackerSettings())
    return [
        {"name": label.name, "mid": label.mid, "settings": dict(settings)}
        for label in members[0].labels
    ]


def _calibration(members: Sequence[Checkpoint]) -> str:
    ways = {str(member.metrics.get("calibration", "none")) for member in members}
    if len(members) == 1:
        return ways.pop()
    return "none of the ensemble itself; that of its members: " + "; ".join(sorted(ways))


def _provenance(members: Sequence[Checkpoint]) -> dict[str, str]:
    if len(members) == 1:
        return _origin(members[0])
    return {
        f"member {number}": ", ".join(f"{key} {value}" for key, value in _origin(member).items())
        for number, member in enumerate(members, 1)
    }


def _origin(member: Checkpoint) -> dict[str, str]:
    # An imported model was not trained here.
    trained = {"epochs": str(member.epoch)} if member.recipe else {}
    return dict(member.provenance) | trained


def _licence(member: Checkpoint) -> str:
    # An imported model has no recipe that could state it.
    return str(member.recipe.get("licence", member.provenance.get("licence", "")))
