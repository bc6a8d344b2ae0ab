"""A bundle of any size whose weights are random: what it costs does not depend on them."""

import json
from dataclasses import asdict
from pathlib import Path

from ast_edge.base.files import file_sha256
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.bundle import FORMAT, FRONT_END
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.model.spec import SIZES, ModelSpec

LABELS = 527
"""As many as AudioSet has."""


def write_random_bundle(folder: Path, size: str = "base", frames: int = 1024) -> Path:
    """Write an AST of a size (a key of `SIZES`) with AudioSet's shapes; return the folder.

    Its thresholds are out of reach, so that there are no events of chance.
    """
    import torch  # not above: nobody who only measures a daemon needs it

    from ast_export.graph import export_graph
    from ast_export.merged import MergedModel
    from ast_training.model.network import AudioSpectrogramTransformer

    width, depth, heads = SIZES[size]
    spec = ModelSpec(labels=LABELS, frames=frames, width=width, depth=depth, heads=heads)
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    export_graph(MergedModel([AudioSpectrogramTransformer(spec)]), folder / "model.onnx")
    settings = asdict(TrackerSettings(on=1.0, off=1.0))
    tree = {
        "format": FORMAT,
        "name": f"random-{size}",
        "fbank": {"kind": FRONT_END} | asdict(FbankSpec()),
        "members": [spec.described()],
        "precision": "fp32",
        "frame": "none",
        "clip_gate": False,
        "labels": [
            {"name": f"label {number}", "mid": "", "settings": settings} for number in range(LABELS)
        ],
        "metrics": {},
        "licence": "CC0-1.0",
        "files": {path.name: file_sha256(path) for path in folder.glob("model.onnx*")},
    }
    (folder / "bundle.json").write_text(json.dumps(tree), encoding="utf-8")
    return folder
