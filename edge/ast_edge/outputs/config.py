"""The configuration of where events go besides MQTT."""

from pydantic import Field, model_validator

from ast_edge.base.config_values import Names
from ast_edge.base.yaml_file import OutputPath, Section


class ClipsConfig(Section):
    """Where the sound of events is kept, and how much of it."""

    folder: OutputPath
    """Made if it does not exist, for this user alone."""
    labels: Names | None = Field(default=None, min_length=1)
    """Labels and groups whose events are kept; all that are reported unless given."""
    only_reviewed: bool = False
    """Sound stays in memory until somebody reviews the event on the page, and is written then."""
    pre_roll: float = Field(default=3.0, ge=0, le=30)
    """Seconds before the event."""
    post_roll: float = Field(default=1.0, ge=0, le=30)
    """Seconds after it."""
    max_length: float = Field(default=60.0, ge=1, le=600)
    """Seconds of a clip, all in all; a longer event's begins with it and is cut off."""
    max_age: float = Field(default=7 * 86400, ge=60, le=10 * 366 * 86400)
    """Seconds; older clips are deleted."""
    max_bytes: int = Field(default=1_000_000_000, ge=100_000)
    """Of all clips together; of more, the oldest are deleted."""
    min_free_bytes: int = Field(default=200_000_000, ge=0)
    """Nothing is written that would leave less on the disk."""

    @model_validator(mode="after")
    def _event_fits(self) -> "ClipsConfig":
        if self.pre_roll >= self.max_length:
            raise ValueError(
                f"pre_roll ({self.pre_roll:g} s) leaves nothing of max_length "
                f"({self.max_length:g} s) for the event"
            )
        return self


class HistoryConfig(Section):
    """What `ast-edge status --history` shows: the newest events, kept over restarts."""

    enabled: bool = True
    max_events: int = Field(default=10_000, ge=1, le=1_000_000)
    """Of more, the oldest are forgotten; ten thousand take about 5 MB."""
