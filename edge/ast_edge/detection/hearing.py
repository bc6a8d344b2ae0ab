"""How a source is listened to, from its sound to its events."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ast_edge.base.errors import ConfigError
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


def check_hop(bundle: Bundle, hop: float) -> None:
    """Refuse a hop that leaves sound between two windows unheard.

    Raises:
        ConfigError: if the hop is longer than the window.
    """
    if hop > bundle.window_seconds:
        raise ConfigError(
            f"hop: {hop:g} s is longer than the {bundle.window_seconds:.2f} s that {bundle.name!r} "
            "hears at once, so sounds would be missed; use a shorter one"
        )


def check_idle_hop(bundle: Bundle, hop: float, idle_hop: float | None) -> None:
    """Refuse an idle hop that leaves sound unheard, or that is none.

    Raises:
        ConfigError: if it is longer than the window, or shorter than the hop.
    """
    if idle_hop is not None and not hop <= idle_hop <= bundle.window_seconds:
        raise ConfigError(
            f"idle_hop: expected {hop:g} s (hop) to the {bundle.window_seconds:.2f} s that "
            f"{bundle.name!r} hears at once, got {idle_hop:g} s"
        )
