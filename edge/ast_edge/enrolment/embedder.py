"""What a bundle's network makes of windows, beside scores."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import EngineError
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Scores
from ast_edge.enrolment.errors import EnrolmentError
from ast_edge.model.bundle import Bundle
from ast_edge.model.own_labels import normalised

BATCH = 16


@dataclass(frozen=True, eq=False)
class Embedded:
    """Windows as heads read them: embeddings that are normalised one by one."""

    clip: NDArray[np.float32]
    """(windows, width)."""
    frame: NDArray[np.float32] | None
    """(windows, steps, width) of their steps, or some of these; None without frame scores."""

    def __len__(self) -> int:
        return len(self.clip)

    def __getitem__(self, rows: NDArray[np.integer] | NDArray[np.bool_] | slice) -> "Embedded":
        return Embedded(self.clip[rows], None if self.frame is None else self.frame[rows])


def join(parts: Iterable[Embedded]) -> Embedded:
    """Return all windows of parts that have the same number of steps."""
    parts = list(parts)
    frames = [part.frame for part in parts if part.frame is not None]
    clip = np.concatenate([part.clip for part in parts])
    return Embedded(clip, np.concatenate(frames) if frames else None)


class Embedder:
    """A bundle's network in an engine that gives its embeddings."""

    def __init__(self, bundle: Bundle, config: EngineConfig) -> None:
        """Open the engine.

        Raises:
            EnrolmentError: if the bundle gives no embeddings.
            EngineError: if no engine here runs it.
        """
        if bundle.embedding is None:
            raise EnrolmentError(
                f"{bundle.name!r} gives no embeddings, on which own sounds are learnt: use one "
                "that does (`ast-edge bundle show` says so), or let it give them: `ast-export "
                f"onnx --embedding`, or `ast-export embedding {bundle.folder} --out FOLDER`"
            )
        self.bundle = bundle
        self._engine = open_engine(replace(bundle, embeds=True), config)

    def run(self, windows: Iterable[NDArray[np.float32]]) -> Iterator[tuple[Embedded, Scores]]:
        """Yield batches of what it makes of windows (frames, mels), and how it scores them.

        Raises:
            EngineError: if its answers are no numbers.
        """
        waiting = iter(windows)
        while batch := list(islice(waiting, BATCH)):
            scores = self._engine.run(np.stack(batch))
            assert scores.embedding is not None, "that is what the engine was opened for"
            steps = scores.frame_embedding
            if not all(np.isfinite(e).all() for e in (scores.embedding, steps) if e is not None):
                raise EngineError(
                    f"{self._engine.description}: gives embeddings that are no numbers; choose "
                    "another engine (--engine)"
                )
            frame = None if steps is None else normalised(steps)
            yield Embedded(normalised(scores.embedding), frame), scores

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()
