"""The description beside a graph that a benchmark has made, so that other processes can open it."""

import json
from dataclasses import asdict

from ast_edge.base.files import file_sha256
from ast_edge.model.bundle import FORMAT, FRONT_END, Bundle


def write_description(bundle: Bundle) -> None:
    """Write `bundle.json` into the folder of a bundle whose graph lies there."""
    tree = {
        "format": FORMAT,
        "name": bundle.name,
        "fbank": {"kind": FRONT_END} | asdict(bundle.fbank),
        "members": [member.described() for member in bundle.members],
        "precision": bundle.precision,
        "frame": bundle.frame,
        "clip_gate": bundle.clip_gate,
        "labels": [
            {"name": label.name, "mid": label.mid, "settings": asdict(bundle.settings[label])}
            for label in bundle.labels
        ],
        "metrics": bundle.metrics,
        "licence": bundle.licence,
        "files": {path.name: file_sha256(path) for path in bundle.folder.glob("model.onnx*")},
    }
    (bundle.folder / "bundle.json").write_text(json.dumps(tree), encoding="utf-8")
