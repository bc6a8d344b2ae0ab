"""What a graph calls its input and output, and how much of the model is in it."""

from dataclasses import dataclass
from typing import Literal

Number = Literal["float32", "float16"]
"""What an input may hold."""


@dataclass(frozen=True)
class GraphSpec:
    """How a graph is fed and read; by default the whole model is inside."""

    input: str = "fbank"
    """Name of the input (batch, frames, mels)."""
    clip: str = "clip"
    """Name of the output (batch, labels)."""
    takes: Number = "float32"
    normalises: bool = True
    """The graph subtracts mean and divides by twice the deviation itself; else we do."""
    activates: bool = True
    """The graph gives probabilities; else logits, of which we make them."""

    def __post_init__(self) -> None:
        for name in (self.input, self.clip):
            if not 0 < len(name) <= 200 or not name.isprintable():
                raise ValueError(f"expected the name of an input or output, got {name!r:.60}")

    def name_of(self, output: str) -> str:
        """Return what the graph calls one of `Bundle.outputs`."""
        return self.clip if output == "clip" else output

    @property
    def names(self) -> dict[str, str]:
        """What the graph calls its input and the clip's scores -> what we call them."""
        return {self.input: "fbank", self.clip: "clip"}


WHOLE = GraphSpec()
"""Of a graph with the whole model inside, as `ast-export` writes it."""
