"""What `bundle.json` says of a bundle."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ast_edge.app.config import load_config
from ast_edge.base.errors import ConfigError
from ast_edge.base.files import file_sha256
from ast_edge.detection.tuned import Tuned
from ast_edge.model.bundle import FORMAT, FRONT_END, FrameScores, Precision
from ast_edge.model.bundle_files import graph_sha256
from ast_edge.model.label_settings import TrackerSettings, override
from ast_export.compression import Storage
from ast_training.measure.held_out_metrics import MEASURED_ON
from ast_training.model.checkpoint import Checkpoint

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
        "members": [member.model.described() for member in members],
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
    config = load_config(path)
    given = config.labels
    entries = {entry["name"]: entry for entry in tree["labels"]}
    for name, section in given.items():
        if name not in entries:
            raise ConfigError(f"{path}: labels.{name}: not a label of this model")
        entry = entries[name]
        changes = (
            {} if section is None else {key: getattr(section, key) for key in entry["settings"]}
        )
        entry["settings"] = asdict(override(TrackerSettings(**entry["settings"]), **changes))
    tuned = config.tuned if config.tuned and config.tuned.covers(given) else None
    if tuned:
        tree["tuning"] = tuned.model_dump()
    others = len(given) - (len(tuned.labels) if tuned else 0)
    tree["calibration"] += _settings_of(tree, tuned, others, path.name)


def _settings_of(tree: dict[str, Any], tuned: Tuned | None, others: int, file: str) -> str:
    """Say where the settings of labels come from, and no more than the file proves."""
    total, said = len(tree["labels"]), ""
    if tuned:
        on = f"{tuned.negative_hours:.3g} h without any of them ({tuned.negative_recordings} "
        on += f"recordings, of {tuned.negative_rooms} rooms)"
        if tuned.positive_recordings:
            on += f" and {tuned.positive_hours:.3g} h with ({tuned.positive_recordings} recordings"
            on += f", {tuned.events} events" if tuned.annotations else ""
            on += f", annotations {tuned.annotations[:16]}" if tuned.annotations else ""
            on += ")"
        graph = graph_sha256(tree["files"])
        which = "of this graph" if graph == tuned.model else f"of another, {tuned.model[:16]}"
        said += (
            f"; settings of {len(tuned.labels)} of {total} labels by `ast-edge tune` for "
            f"{tuned.wish:.3g} false alarms an hour, with the scores {which}, on {on}"
        )
    if others:
        said += f"; thresholds of {others} of {total} labels are those of `{file}`"
    return said


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
