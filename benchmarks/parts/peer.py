"""What one would write with Hugging Face's `transformers`, and our bundle of the same weights."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

from ast_edge.model.bundle import Bundle
from ast_edge.model.spec import SIZES, ModelSpec
from ast_export.graph import export_graph
from ast_export.merged import MergedModel
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.weights.layouts import to_ours
from parts.random_bundle import bundle_of

RATE = 16_000
RARE = -5.0
"""Logit that labels have without a sound, as in a trained model: random weights know no sounds."""


def peer_spec(size: str, frames: int) -> ModelSpec:
    """Return the network of a published AST of this size: 527 labels, overlapping patches."""
    width, depth, heads = SIZES[size]
    return ModelSpec(
        labels=527,
        frames=frames,
        width=width,
        depth=depth,
        heads=heads,
    )


def peer_model(spec: ModelSpec) -> ASTForAudioClassification:
    """Make the network as `from_pretrained` does, with random weights that are always the same."""
    torch.manual_seed(0)
    config = ASTConfig(
        hidden_size=spec.width,
        num_hidden_layers=spec.depth,
        num_attention_heads=spec.heads,
        intermediate_size=4 * spec.width,
        frequency_stride=spec.stride[0],
        time_stride=spec.stride[1],
        max_length=spec.frames,
        num_labels=spec.labels,
        layer_norm_eps=1e-6,  # as in the official code, and ours
        attn_implementation="sdpa",
    )
    return ASTForAudioClassification(config).eval().requires_grad_(False)


class Peer:
    """Features and forward pass of the last seconds of sound, anew at every look.

    In float32 with PyTorch's fused attention, which is what `from_pretrained` gives.
    """

    def __init__(self, spec: ModelSpec, threads: int) -> None:
        """Make it with random weights."""
        torch.set_num_threads(threads)
        self.spec = spec
        self.samples = RATE * spec.frames // 100
        """That it looks at."""
        self._extractor = ASTFeatureExtractor(max_length=spec.frames)
        self.model = peer_model(spec)
        self.model.classifier.dense.bias.fill_(RARE)

    @torch.inference_mode()
    def score(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities (labels,) of the last samples of a sound."""
        window = sound[-self.samples :]
        inputs = self._extractor(window, sampling_rate=RATE, return_tensors="pt")
        scores: NDArray[np.float32] = self.model(**inputs).logits.sigmoid()[0].numpy()
        return scores

    def write_bundle(self, folder: Path) -> Bundle:
        """Export our model with these weights."""
        ours = AudioSpectrogramTransformer(self.spec)
        ours.load_state_dict(to_ours(self.model.state_dict()))
        export_graph(MergedModel([ours]), folder / "model.onnx")
        return bundle_of(self.spec, folder, "AST")
