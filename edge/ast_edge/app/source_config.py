"""The configuration of one source of sound."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    model_validator,
)

from ast_edge.audio.level import FLOOR_DBFS
from ast_edge.audio.sound_check import MUTED_SECONDS
from ast_edge.base.yaml_file import InputPath, Section, beside_the_file
from ast_edge.frontend.conditioner import Conditioning
from ast_edge.frontend.gate import GateSettings
from ast_edge.sources.pcm import Encoding
from ast_edge.sources.stream_url import check_url, is_rtsp

_KINDS = ("microphone", "url", "file", "stdin")


def _url(url: object) -> object:
    """Check it here: the message of a wrong type would quote it."""
    if isinstance(url, str):
        check_url(url)
    elif url is not None and not isinstance(url, SecretStr):
        raise ValueError("expected a URL as text")
    return url


def _level(gate: object) -> object:
    """Take a number for a gate that has nothing but a level."""
    return {"level": gate} if isinstance(gate, int | float | str) else gate


def _bundle(name: str, info: ValidationInfo) -> str:
    """Leave the name of a shipped bundle; make a path absolute to the file's folder."""
    return str(beside_the_file(Path(name), info)) if os.sep in name else name


BundleName = Annotated[str, AfterValidator(_bundle)]


class GateConfig(Section):
    """When the model need not look: while the whole window is below the higher of the limits."""

    level: float | None = Field(default=None, ge=FLOOR_DBFS, le=0)
    """dBFS of the loudest 10 ms, after gain and high-pass."""
    above_floor: float | None = Field(default=None, ge=3, le=60)
    """Decibels above the noise floor, which is tracked over minutes."""

    @model_validator(mode="after")
    def _not_empty(self) -> "GateConfig":
        if self.level is None and self.above_floor is None:
            raise ValueError("give level, above_floor or both")
        return self


class SourceConfig(Section):
    """Where one source takes its sound from: exactly one of microphone, url, file and stdin."""

    microphone: str | None = None
    """Name of an input device as `ast-edge devices` prints it, a part of it, an ALSA id such as
    "hw:CARD=Device", a sound server's "pulse:NAME", or "default"."""
    url: Annotated[SecretStr | None, BeforeValidator(_url)] = None
    """A live stream for ffmpeg: rtsp(s)://, http(s)://, srt:// or rtmp(s)://."""
    file: InputPath | None = None
    """A recording: WAV, FLAC, OGG or MP3; with ffmpeg installed, most others too."""
    stdin: Encoding | None = None
    """Raw little-endian PCM on standard input, interleaved."""
    sample_rate: int | None = Field(default=None, ge=1000, le=384000)
    """Hertz. Of stdin and of what ffmpeg makes of a URL (16000 unless given), or to ask a
    microphone for (its own unless given)."""
    true_rate: int | None = Field(default=None, ge=1000, le=384000)
    """Samples a second that really come, where a microphone or URL states a wrong rate: the
    message about the wrong rate names it."""
    rtsp_media: Literal["audio", "all"] | None = None
    """What a camera is asked for: its sound alone, or all that it has, as some insist. Unless
    given, all after two attempts that have brought no lasting sound."""
    rtsp_transport: Literal["tcp", "udp"] | None = None
    """How a camera sends: tcp unless given, which loses nothing."""
    channels: int | None = Field(default=None, ge=1, le=64)
    """Channels of stdin (1 unless given), or to open of a microphone; mixed to mono."""
    channel: int | None = Field(default=None, ge=1, le=64)
    """Listen to this channel only, from 1; to the mean of all unless given. Several sources may
    have channels of one microphone."""
    gain_db: float = Field(default=0.0, ge=-60, le=60)
    """Decibels to add."""
    high_pass: float | None = Field(default=None, ge=10, le=2000)
    """Hertz below which sound is taken away: hum, wind, steps."""
    gate: Annotated[GateConfig | None, BeforeValidator(_level)] = None
    """Skip the model while it is quiet: a level in dBFS, or a section. Off unless given."""
    pace: Literal["realtime", "fast"] = "realtime"
    """How a file or stdin plays: as live sound, or as fast as it can be processed."""
    stall_timeout: float = Field(default=3.0, ge=0.5)
    """A microphone or URL that delivers nothing for this long is closed and opened again."""
    muted_after: float = Field(default=MUTED_SECONDS, ge=0)
    """Seconds of digital silence after which a microphone or URL counts as muted; 0 is never."""
    bundle: BundleName | None = None
    """The model that listens, by name or folder; that of all unless given, as of the next three."""
    hop: float | None = Field(default=None, ge=0.05, le=10)
    """Seconds between two looks at its sound."""
    idle_hop: float | None = Field(default=None, ge=0.05, le=10)
    latency: float | None = Field(default=None, ge=0, le=10)

    @model_validator(mode="after")
    def _one_kind(self) -> "SourceConfig":
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(
                "give exactly one of microphone, url, file and stdin, "
                f"got {', '.join(kinds) or 'none'}"
            )
        return self

    @model_validator(mode="after")
    def _channel_exists(self) -> "SourceConfig":
        channels = self.channels or (1 if self.stdin else None)
        if self.channel and channels and self.channel > channels:
            raise ValueError(f"channel {self.channel} is not one of {channels} channels")
        if self.url and self.channels:
            raise ValueError("channels is not for a url; choose one of its channels by `channel`")
        return self

    @model_validator(mode="after")
    def _has_a_use(self) -> "SourceConfig":
        if self.true_rate and self.microphone is None and self.url is None:
            raise ValueError("true_rate is for a microphone or a url; give stdin its sample_rate")
        if (self.rtsp_media or self.rtsp_transport) and not (
            self.url and is_rtsp(self.url.get_secret_value())
        ):
            raise ValueError("rtsp_media and rtsp_transport are for a url of rtsp://")
        return self

    @property
    def kind(self) -> str:
        """Which of the four it is."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @property
    def conditioning(self) -> Conditioning:
        """How its sound is prepared; the channel of a URL is ffmpeg's to choose."""
        channel = None if self.url else self.channel
        return Conditioning(gain_db=self.gain_db, high_pass=self.high_pass, channel=channel)

    @property
    def gate_settings(self) -> GateSettings | None:
        """What counts as quiet; None without a gate."""
        return GateSettings(self.gate.level, self.gate.above_floor) if self.gate else None
