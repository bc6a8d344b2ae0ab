"""Foreign ASTs as checkpoints of ours."""

from pathlib import Path

import numpy as np
import torch

from ast_edge.base.errors import BundleError
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_edge.model.label import Label
from ast_edge.model.label_names import why_unusable
from ast_edge.model.spec import Activation
from ast_training.data.augmentation import fit_length
from ast_training.data.decoding import read_audio
from ast_training.data.labels import label_table
from ast_training.model.checkpoint import Checkpoint
from ast_training.weights.foreign import ForeignModel
from ast_training.weights.foreign_spec import foreign_spec

TABLES = {527: "audioset", 50: "esc50", 35: "speechcommands"}


def import_ast(
    foreign: ForeignModel,
    *,
    origin: str,
    licence: str = "as the source states",
    labels: tuple[Label, ...] | None = None,
    frames: int | None = None,
    stride: int | None = None,
    activation: Activation | None = None,
) -> Checkpoint:
    """Make a checkpoint of a foreign AST; what is not given is inferred.

    The weights are those of the source, bit by bit in float32. One thing of Hugging Face's is not
    taken over: the epsilon of all its layer norms is 1e-12, while the published models were
    trained, and run here, with 1e-6 in the blocks and 1e-5 in the head. That moves logits by 1e-4
    (a base model with random weights on a real recording).

    Args:
        foreign: what was read.
        origin: where it came from, for the provenance.
        licence: terms of the weights.
        labels: in the order of the outputs; else those of the configuration, else the published
            table of as many labels.
        frames: of the window, see `foreign_spec`.
        stride: of the patches.
        activation: of the outputs.

    Raises:
        BundleError: if it is no AST, or something is not given and cannot be inferred.
    """
    spec = foreign_spec(foreign, frames=frames, stride=stride, activation=activation)
    try:
        front_end = FbankSpec(foreign.size("sampling_rate", 16_000), mel_bins=spec.mel_bins)
    except ValueError as exc:
        raise BundleError(f"{foreign.file}: its front end is none of ours: {exc}") from exc
    checkpoint = Checkpoint(
        model=spec,
        fbank=front_end,
        labels=labels or _labels(foreign, spec.labels),
        weights=foreign.weights,
        provenance={
            "imported from": origin,
            "file": foreign.file.name,
            "sha256": foreign.sha256(),
            "licence": licence,
        },
    )
    if len(checkpoint.labels) != spec.labels:
        raise BundleError(
            f"{foreign.file}: expected {spec.labels} labels, got {len(checkpoint.labels)}"
        )
    if reason := why_unusable(checkpoint.labels):
        raise BundleError(f"{foreign.file}: {reason} (by --labels)")
    return checkpoint


def _labels(foreign: ForeignModel, count: int) -> tuple[Label, ...]:
    names = foreign.config.get("id2label")
    if names is not None:
        try:
            ordered = [str(names[str(index)]) for index in range(len(names))]
        except (KeyError, TypeError) as exc:
            raise BundleError(
                f"{foreign.file.parent}: config.json: id2label does not number the labels from 0; "
                "state --labels"
            ) from exc
        known = {label.name: label.mid for label in label_table("audioset")}
        ours = all(name in known for name in ordered)
        return tuple(Label(i, n, known[n] if ours else "") for i, n in enumerate(ordered))
    if count in TABLES:
        return label_table(TABLES[count])
    raise BundleError(f"{foreign.file}: does not name its {count} labels; state --labels")


@torch.inference_mode()
def first_logits(checkpoint: Checkpoint, audio: Path, count: int = 3) -> list[float]:
    """Compute the first logits for a recording, cut or padded to the window as the sources do.

    Raises:
        AudioError: if it cannot be read.
    """
    features = fbank(read_audio(audio, checkpoint.fbank.sample_rate), checkpoint.fbank)
    window = fit_length(features, checkpoint.model.frames).astype(np.float32)
    logits = checkpoint.build()(torch.from_numpy(window)[None])
    return [float(value) for value in logits[0, :count]]
