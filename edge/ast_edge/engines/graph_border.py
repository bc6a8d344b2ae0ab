"""From fbanks to what a graph takes, and from what it gives to probabilities."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ast_edge.engines.engine import Scores
from ast_edge.model.bundle import Bundle
from ast_edge.model.graph_spec import WHOLE


class GraphBorder:
    """What of a model is not inside its graph: normalisation and activation, each or both.

    Graphs of `ast-export` hold the whole model. Published ones take normalised fbanks and give
    logits, as transformers does.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Take what the bundle says of its graph."""
        self._graph, self._member = bundle.graph, bundle.members[0]
        self.input = self._graph.input
        self.outputs = tuple(self._graph.name_of(name) for name in bundle.outputs)
        """What the graph calls its outputs, the clip's first."""

    @property
    def is_plain(self) -> bool:
        """Whether the whole model is in the graph, under the names of ours."""
        return self._graph == WHOLE

    def feed(self, fbank: NDArray[np.float32]) -> NDArray[np.float32] | NDArray[np.float16]:
        """Return windows (batch, frames, mels) as the graph takes them."""
        if not self._graph.normalises:
            fbank = (fbank - np.float32(self._member.mean)) / np.float32(2 * self._member.std)
        return fbank if self._graph.takes == "float32" else fbank.astype(np.float16)

    def scores(self, found: Sequence[NDArray[np.floating]]) -> Scores:
        """Make probabilities of the outputs, in the order of `outputs`."""
        clip, *frames = (np.asarray(output, np.float32) for output in found)
        if not self._graph.activates:
            clip = _softmax(clip) if self._member.activation == "softmax" else _sigmoid(clip)
            frames = [_sigmoid(frame) for frame in frames]  # which never exclude one another
        return Scores(clip, *frames)


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    # By tanh, which overflows nowhere; NaN stays NaN.
    halves: NDArray[np.float32] = np.tanh(np.float32(0.5) * logits)
    return (np.float32(1) + halves) / np.float32(2)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    raised: NDArray[np.float32] = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float32] = raised / raised.sum(axis=-1, keepdims=True)
    return shares
