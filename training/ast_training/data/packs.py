"""Packs of recordings and how examples are composed of them, as a recipe describes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ast_edge.base.yaml_file import InputPath, OutputPath, Section

Fraction = Annotated[float, Field(ge=0, le=1)]
Role = Literal["events", "background", "room"]
OF_TABLES = frozenset(
    {"table", "audio", "filename", "label", "separator", "group", "validation", "validation_share"}
    | {"test_share", "hold_out", "may_table", "terms", "terms_table", "skip"}
)
"""Settings that a prepared set has no use for."""


class PackConfig(Section):
    """A folder of recordings and the table that labels them, or a set that `prepare` has made."""

    prepared: OutputPath | None = None
    """Folder that `ast-train prepare` has made, in place of a table: it knows labels and splits."""
    table: InputPath | None = None
    """CSV with one row per recording."""
    audio: OutputPath = Path()
    """Folder that the table's file names are relative to."""
    licence: str = ""
    """Terms of the recordings, for the model card."""
    filename: str = "filename"
    """Column with the file name."""
    label: str = "label"
    """Column with the pack's own label."""
    separator: str = ""
    """Divides several labels of one recording."""
    labels: dict[str, str | None] = Field(default_factory=dict)
    """The pack's label -> one of the recipe's or any name of AudioSet's, or null to leave the
    recording out; "*" stands for every label not named. A sound counts for what it is a kind of: a
    bark for the label Dog. What is not mapped is an example of none of the labels."""
    audioset: bool = False
    """The pack's labels that are not mapped are AudioSet's names."""
    may: list[str] = Field(default_factory=list)
    """Labels that may sound in any recording of the pack though nothing says so: of children who
    play, speech and laughter."""
    may_table: InputPath | None = None
    """CSV (pack, filename, may) that says it of single recordings, as `ast-train listen` writes it:
    of the noise of a room, that there is speech and music in it."""
    role: Role = "events"
    """What the recordings are to a soundscape: events (also those without a label), background
    noise, or the impulse response of a room."""
    pause: float = Field(default=0.3, ge=0)
    """Seconds of silence that belong to a sound, as between the beeps of an alarm."""
    group: str | None = None
    """Column that tells recordings of one source apart; a group is never split."""
    group_pattern: re.Pattern[str] = re.compile(".+")
    """Regular expression whose first match in that column names the group."""
    group_prefix: str = ""
    """Makes groups of several packs comparable: "freesound" for Freesound ids."""
    validation: dict[str, list[str | int]] = Field(default_factory=dict)
    """Rows with one of these values in these columns are for validation."""
    validation_share: Fraction = 0.0
    """And this share of the sources, by fixed thresholds over a hash of the source's name."""
    test_share: Fraction = 0.0
    """Another share that nothing is chosen by: what is measured on it is what to expect."""
    hold_out: dict[str, re.Pattern[str]] = Field(default_factory=dict)
    """Rows in whose column the expression is found train nothing: {licence: none stated}."""
    terms: str = "licence"
    """Column with a recording's own terms, where the table has one; else the pack's count."""
    terms_table: InputPath | None = None
    """CSV that says the terms of each file name, where the pack's own table does not."""
    skip: dict[str, str] = Field(default_factory=dict)
    """Rows whose column contains the text are left out: {split: background}."""

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "PackConfig":
        given = self.model_dump(exclude_defaults=True).keys()
        if self.prepared is None:
            if missing := [key for key in ("table", "audio") if key not in self.model_fields_set]:
                raise ValueError(f"expected {missing[0]}, or prepared: a folder by `prepare`")
        elif others := sorted(given & OF_TABLES):
            raise ValueError(
                f"{others[0]}: is of a table; a prepared set has its labels and splits"
            )
        return self


class PackList(Section):
    """Packs in a file of their own, for several recipes."""

    packs: dict[str, PackConfig]


@dataclass(frozen=True)
class PackSet:
    """The packs of a recipe, for which labels, and on whose terms they may train."""

    packs: Mapping[str, PackConfig]
    labels: Mapping[str, str]
    terms: re.Pattern[str]
    """Expression that is found in the terms of all that trains."""
