"""How soundscapes are composed, as a recipe describes it."""

from typing import Annotated

from pydantic import Field

from ast_edge.base.yaml_file import Section

Fraction = Annotated[float, Field(ge=0, le=1)]
Span = tuple[float, float]


class SoundscapeConfig(Section):
    """Soundscapes of events over background noise, and what happens on the way to a microphone."""

    examples_per_epoch: int = Field(default=6400, gt=0)
    repeats: int = Field(default=1, gt=0)
    """How often an example is seen, in as many epochs in a row and masked anew each time; where
    composing and teaching take longer than learning, this keeps the learner busy."""
    events: float = Field(default=1.6, ge=1)
    """Mean number of events in a training example that has any; at least one."""
    negatives: Fraction = 0.2
    """Share of examples that hold none of the labels."""
    distractors: Fraction = 0.3
    """Probability that a sound without a label is heard as well."""
    clear: Fraction = 0.0
    """Share of examples that are one recording alone, as it was taken, which a model forgets that
    learns from mixtures alone."""
    event_seconds: Span = (0.5, 12.0)
    """Shortest and longest part of a recording that is taken (log-uniform)."""
    filling: Fraction = 0.2
    """Probability that an event is repeated until it fills the example: rain and fans have no onset
    in a window, and must not be taken for background noise."""
    speed: Span = (0.9, 1.1)
    """How fast a recording is played, pitch included."""
    background: Fraction = 0.8
    """Probability of background noise."""
    second_background: Fraction = 0.2
    """Probability that another background is heard with it."""
    snr_db: Span = (-5.0, 30.0)
    """Loudest 100 ms of an event against the loudest of the background."""
    event_db: Span = (-10.0, 10.0)
    """Level of an event against the others where there is no background."""
    level_dbfs: Span = (-50.0, -6.0)
    """RMS of the loudest 100 ms of the whole."""
    noise: Fraction = 0.25
    """Probability that the microphone's own noise is heard."""
    noise_dbfs: Span = (-85.0, -45.0)
    """RMS of that noise."""
    room: Fraction = 0.5
    """Probability that an event sounds in a room."""
    equalizer: Fraction = 0.5
    """Probability that loudspeaker, obstacles and microphone colour the sound, by up to ±9 dB."""
    band: Fraction = 0.25
    """Probability that a band-limited path takes treble and bass away."""
    clipping: Fraction = 0.05
    """Probability that the loudest samples are cut off."""
    codec: Fraction = 0.05
    """Probability that the sound was compressed (Vorbis, Opus, MP3, GSM) or companded (G.711)."""
    freq_mask: int = Field(default=16, ge=0)
    """SpecAugment: largest mask in mel bins."""
    time_mask: int = Field(default=0, ge=0)
    """Largest mask in frames; what it hides is still in the targets."""
    validation_minutes: int = Field(default=20, ge=0)
    """Scenes of validation recordings on which a frame head is scored after every epoch; 0 does
    without."""

    def undisturbed(self) -> "SoundscapeConfig":
        """Return the same with nothing but the recordings, as they were taken."""
        nothing = ("background", "noise", "room", "equalizer", "band", "clipping", "codec")
        return self.model_copy(update={**dict.fromkeys(nothing, 0.0), "speed": (1.0, 1.0)})
