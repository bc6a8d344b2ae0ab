"""How a source is listened to, from its sound to its events."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ast_edge.detection.aggregator import LATENCY_SECONDS
from ast_edge.detection.rules import Rule
from ast_edge.frontend.conditioner import Conditioning
from ast_edge.frontend.gate import GateSettings
from ast_edge.frontend.listening import Listening
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings


@dataclass(frozen=True)
class Hearing:
    """A bundle, what is reported of it, and how sound is prepared and looked at for it."""

    bundle: Bundle
    settings: Mapping[Label, TrackerSettings]
    """The labels and groups to report."""
    hop: float = 0.5
    """Seconds between two windows."""
    latency: float = LATENCY_SECONDS
    """Seconds that frame scores are listened on to."""
    idle_hop: float | None = None
    """Seconds between two windows while nothing new sounds."""
    rules: Mapping[Label, Rule] = field(default_factory=dict)
    conditioning: Conditioning = field(default_factory=Conditioning)
    gate: GateSettings | None = None

    @property
    def listening(self) -> Listening:
        """How sound is made into windows for it."""
        return Listening(
            self.bundle.fbank,
            self.bundle.frames,
            self.hop,
            self.conditioning,
            self.gate,
            self.idle_hop,
        )
