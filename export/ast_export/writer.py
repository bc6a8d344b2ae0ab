"""Writing bundles: completely or not at all."""

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ast_edge.bundle import FORMAT, FRONT_END, file_sha256
from ast_edge.errors import BundleError
from ast_edge.tracker import TrackerSettings
from ast_export.card import model_card
from ast_export.graph import export_graph, halve_weights
from ast_export.parity import Parity, audio_windows, compare
from ast_training.checkpoint import Checkpoint

OFF_SHARE = 0.2
"""Of a label's on threshold. Low, because it tells how far back and forth a sound reaches that is
certain somewhere."""


class ParityError(Exception):
    """A graph strays too far from the model; the reports say how far."""

    def __init__(self, reports: list[Parity]) -> None:
        """Keep the reports."""
        super().__init__("the graph does not say what the model says")
        self.reports = reports


def write_bundle(
    checkpoint: Checkpoint, out: Path, *, name: str, audio: Path, halve: bool
) -> list[Parity]:
    """Export a checkpoint to the folder `out` and return the parity reports.

    The folder appears, or replaces the one that was there, only when the graph has been compared
    with the model on the recordings in `audio` and is within the limits.

    Raises:
        ParityError: if it is not; nothing is written then.
        AudioError: if there are no recordings to compare on, or one cannot be used.
        BundleError: if `out` is a folder of something else, or cannot be written.
    """
    out = out.resolve()
    if out.exists() and not (out / "bundle.json").is_file():
        raise BundleError(f"{out}: exists and is no bundle to replace; choose a new folder")
    windows = audio_windows(audio, checkpoint.fbank, checkpoint.model.frames)
    try:
        return _write_bundle(checkpoint, out, name, windows, halve)
    except OSError as exc:
        raise BundleError(f"{out}: cannot be written: {exc}") from exc


def _write_bundle(
    checkpoint: Checkpoint, out: Path, name: str, windows: NDArray[np.float32], halve: bool
) -> list[Parity]:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        folder = Path(scratch) / out.name
        folder.mkdir()
        export_graph(checkpoint.build(), folder / "model.onnx")
        if halve:
            halve_weights(folder / "model.onnx")
        tree = _tree(checkpoint, name, folder)
        _write_json(folder / "bundle.json", tree)
        reports = compare(checkpoint.build(), folder, windows, halve)
        if not all(report.holds for report in reports):
            raise ParityError(reports)
        tree["parity"] = [asdict(report) for report in reports]
        _write_json(folder / "bundle.json", tree)
        (folder / "MODEL_CARD.md").write_text(model_card(checkpoint, tree), encoding="utf-8")
        _replace(folder, out)
    return reports


def _tree(checkpoint: Checkpoint, name: str, folder: Path) -> dict[str, Any]:
    metrics, provenance = checkpoint.metrics, checkpoint.provenance
    thresholds = metrics.get("thresholds", {})
    defaults = TrackerSettings()
    labels = []
    for label in checkpoint.labels:
        on = thresholds.get(label.name, defaults.on)
        settings = TrackerSettings(on=on, off=round(OFF_SHARE * on, 3))
        labels.append({"name": label.name, "mid": label.mid, "settings": asdict(settings)})
    return {
        "format": FORMAT,
        "name": name,
        "fbank": {"kind": FRONT_END} | asdict(checkpoint.fbank),
        "members": [asdict(checkpoint.model)],
        "labels": labels,
        "calibration": metrics.get("calibration", "none: one threshold for all labels"),
        # An imported or averaged model has none.
        "metrics": {k: metrics[k] for k in ("macro_ap", "recordings", "labels") if k in metrics},
        "provenance": provenance | ({"epochs": str(checkpoint.epoch)} if checkpoint.recipe else {}),
        # An imported model has no recipe that could state it.
        "licence": checkpoint.recipe.get("licence", provenance.get("licence", "")),
        "files": {"model.onnx": file_sha256(folder / "model.onnx")},
    }


def _write_json(path: Path, tree: dict[str, Any]) -> None:
    path.write_text(json.dumps(tree, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _replace(folder: Path, out: Path) -> None:
    """Put the finished folder in the place of an older one, which is removed last."""
    if out.exists():
        old = out.with_name(f".{out.name}-old")
        out.rename(old)
        try:
            folder.rename(out)
        except OSError:
            old.rename(out)
            raise
        shutil.rmtree(old)
    else:
        folder.rename(out)
