"""What is to be found in every recording, and how."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from ast_edge.detection.hearing import Hearing
from ast_edge.engines.config import EngineConfig
from ast_edge.frontend.listening import Listening
from ast_edge.model.bundle import Bundle

FORMAT = 1
"""Raised when the same parameters give other results, or other tables."""
STRETCH_SECONDS = 600
LEAD_SECONDS = 2
"""Of sound before what is looked at, by which resampler and high-pass have settled."""


@dataclass(frozen=True)
class Stretch:
    """A part of a recording: the windows that end after `start`, up to `end`."""

    number: int
    start: int
    """Seconds of the recording."""
    end: int


@dataclass(frozen=True)
class Job:
    """What workers do with each recording; the same job gives the same results everywhere."""

    hearing: Hearing
    engine: EngineConfig
    events: bool
    """Whether events are found; else the recordings are scored as a whole."""
    scores: bool = False
    """Whether the scores of every window are kept."""
    embeddings: bool = False
    timezone: str = "UTC"
    """Of the times in names that do not tell theirs."""
    stretch_seconds: int = STRETCH_SECONDS
    """At most, if the grid allows; the results do not depend on it."""

    @property
    def bundle(self) -> Bundle:
        """The bundle as its engine is opened."""
        return replace(self.hearing.bundle, embeds=self.embeddings)

    @property
    def listening(self) -> Listening:
        """How sound is made into windows.

        All are looked at: what gate and idle hop leave out depends on all that was before. The
        channel is chosen as a recording is read.
        """
        listening = self.hearing.listening
        conditioning = replace(listening.conditioning, channel=None)
        return replace(listening, conditioning=conditioning, gate=None, idle_hop=None)

    @property
    def hop(self) -> int:
        """Frames between two windows."""
        shift = self.bundle.fbank.frame_shift_ms
        return max(1, round(self.hearing.hop * 1000 / shift))

    @property
    def frames_per_second(self) -> float:
        """Frames of the front end."""
        spec = self.hearing.bundle.fbank
        return spec.sample_rate / spec.frame_shift

    @property
    def grid(self) -> int:
        """Seconds, of whose multiples a recording may be cut and still give the same windows.

        There a window ends, a step begins, and a sample of every sample rate lies.
        """
        spec = self.bundle.fbank
        whole = spec.sample_rate // math.gcd(spec.sample_rate, spec.frame_shift)
        stride = self.bundle.members[0].stride[1]
        frames = math.lcm(whole, self.hop, stride)
        return frames * spec.frame_shift // spec.sample_rate

    def stretch(self, number: int) -> Stretch:
        """Return the stretch of this number."""
        length = max(1, self.stretch_seconds // self.grid) * self.grid
        return Stretch(number, number * length, (number + 1) * length)

    def stretches_in(self, seconds: float) -> int:
        """Count the stretches of a recording."""
        return max(1, math.ceil(seconds / self.stretch(0).end))

    @property
    def parameters(self) -> dict[str, Any]:
        """All that the results depend on, for JSON."""
        hearing, bundle = self.hearing, self.hearing.bundle
        settings = {label.name: asdict(one) for label, one in hearing.settings.items()}
        rules = {label.name: str(rule) for label, rule in hearing.rules.items()}
        groups = {
            label.name: str(label)
            for label in hearing.settings
            if label.index >= len(bundle.labels)
        }
        return {
            "format": FORMAT,
            "command": "replay" if self.events else "tag",
            "bundle": bundle.name,
            "bundle_sha256": bundle.scores_sha256,
            "labels": [label.name for label in bundle.labels],
            "engine": self.engine.name,
            "precision": self.engine.precision,
            "device": self.engine.device,
            "frame": bundle.frame,
            "clip_gate": bundle.clip_gate,
            "hop": hearing.hop,
            "latency": hearing.latency if self.events else None,
            "conditioning": asdict(hearing.conditioning),
            "settings": settings if self.events else {},
            "groups": groups if self.events else {},
            "rules": rules if self.events else {},
            "scores": self.scores,
            "embeddings": self.embeddings,
            "timezone": self.timezone,
        }


def digest(parameters: dict[str, Any]) -> str:
    """Return what parameters are known by: 16 digits of the sum of their JSON."""
    text = json.dumps(parameters, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
