"""A bundle of any size whose weights are random: what it costs does not depend on them."""

from dataclasses import replace
from pathlib import Path

from ast_edge.base.files import file_sha256
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.model.spec import SIZES, ModelSpec
from parts.described import write_description

LABELS = 527
"""As many as AudioSet has."""


def write_random_bundle(
    folder: Path, size: str = "base", frames: int = 1024, column: int = 0
) -> Path:
    """Write an AST of a size (a key of `SIZES`) with AudioSet's shapes; return the folder.

    With `column`, a patch is all frequencies of so many frames, as in `audioset-tiny`.

    Its thresholds are out of reach, so that there are no events of chance.
    """
    import torch  # not above: nobody who only measures a daemon needs it

    from ast_export.graph import export_graph
    from ast_export.merged import MergedModel
    from ast_training.model.network import AudioSpectrogramTransformer

    width, depth, heads = SIZES[size]
    spec = ModelSpec(labels=LABELS, frames=frames, width=width, depth=depth, heads=heads)
    if column:
        patch = (spec.mel_bins, column)
        spec = replace(spec, patch=patch, stride=patch)
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    export_graph(MergedModel([AudioSpectrogramTransformer(spec)]), folder / "model.onnx")
    write_description(bundle_of(spec, folder, f"random-{size}", TrackerSettings(on=1.0, off=1.0)))
    return folder


def bundle_of(
    spec: ModelSpec, folder: Path, name: str, settings: TrackerSettings | None = None
) -> Bundle:
    """Return the bundle of a graph that was exported to a folder, with labels without a meaning."""
    labels = tuple(Label(number, f"label {number}", "") for number in range(spec.labels))
    return Bundle(
        folder=folder,
        name=name,
        fbank=FbankSpec(),
        members=(spec,),
        labels=labels,
        settings=dict.fromkeys(labels, settings or TrackerSettings()),
        sha256=file_sha256(folder / "model.onnx"),
        precision="fp32",
        frame="none",
        clip_gate=False,
        metrics={},
        licence="CC0-1.0",
    )
