"""From fbanks to what a graph takes, and from what it gives to probabilities of all labels."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import EngineError
from ast_edge.engines.engine import Scores
from ast_edge.model.bundle import EMBEDDINGS, Bundle


class GraphBorder:
    """What of a model is not inside its graph: normalisation, activation, and own labels.

    Graphs of `ast-export` hold the whole model. Published ones take normalised fbanks and give
    logits, as transformers does. Labels that were enrolled have heads of their own, on the
    embeddings: whoever reads scores sees them as columns like any other.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Take what the bundle says of its graph."""
        self._graph, self._member = bundle.graph, bundle.members[0]
        self._heads, self._embeds = bundle.heads, bundle.embeds
        self._shapes = bundle.outputs
        self.input = self._graph.input
        self.outputs = tuple(self._graph.name_of(name) for name in bundle.outputs)
        """What the graph calls its outputs, the clip's first."""

    def feed(self, fbank: NDArray[np.float32]) -> NDArray[np.float32] | NDArray[np.float16]:
        """Return windows (batch, frames, mels) as the graph takes them."""
        if not self._graph.normalises:
            fbank = (fbank - np.float32(self._member.mean)) / np.float32(2 * self._member.std)
        return fbank if self._graph.takes == "float32" else fbank.astype(np.float16)

    def scores(self, found: Sequence[NDArray[np.floating]]) -> Scores:
        """Make probabilities of the outputs, in the order of `outputs`.

        Raises:
            EngineError: if they are none of this bundle's, which heads could not read.
        """
        named = {
            name: np.asarray(output, np.float32)
            for name, output in zip(self._shapes, found, strict=True)
        }
        clip, frame = named["clip"], named.get("frame")
        if not self._graph.activates:
            clip = _softmax(clip) if self._member.activation == "softmax" else _sigmoid(clip)
            # Steps never exclude one another.
            frame = None if frame is None else _sigmoid(frame)
        clips, frames = (self._embedding(named, kind) for kind in EMBEDDINGS)
        if self._heads is not None and clips is not None:
            clip = np.concatenate([clip, _sigmoid(self._heads.clip_logits(clips))], axis=-1)
            if frame is not None and frames is not None:
                own = _sigmoid(self._heads.frame_logits(frames))
                frame = np.concatenate([frame, own], axis=-1)
        return Scores(clip, frame, *((clips, frames) if self._embeds else ()))

    def _embedding(
        self, named: Mapping[str, NDArray[np.float32]], kind: str
    ) -> NDArray[np.float32] | None:
        name = EMBEDDINGS[kind]
        if name not in named:
            return None
        if named[name].shape[1:] != self._shapes[name]:
            raise EngineError(
                f"expected the output {name} (batch, *{self._shapes[name]}) of the graph, got "
                f"{named[name].shape}; the bundle is not usable"
            )
        return named[name]


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    # By tanh, which overflows nowhere; NaN stays NaN.
    halves: NDArray[np.float32] = np.tanh(np.float32(0.5) * logits)
    return (np.float32(1) + halves) / np.float32(2)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    raised: NDArray[np.float32] = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float32] = raised / raised.sum(axis=-1, keepdims=True)
    return shares
