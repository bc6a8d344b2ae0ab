"""How a source's sound is made into windows."""

from dataclasses import dataclass, field

from ast_edge.frontend.conditioner import Conditioning
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.frontend.gate import GateSettings


@dataclass(frozen=True)
class Listening:
    """The front end and window of a model, how sound is prepared, and how often it is looked at."""

    spec: FbankSpec
    frames: int
    """Of a window."""
    hop: float
    """Seconds between two windows."""
    conditioning: Conditioning = field(default_factory=Conditioning)
    gate: GateSettings | None = None
    """What counts as quiet; without, nothing does."""
    idle_hop: float | None = None
    """Seconds between two windows that are not `idle`, whatever they hold; without, none is."""
