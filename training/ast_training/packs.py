"""Packs of recordings and how examples are composed of them, as a recipe describes them."""

import re
from typing import Annotated

from pydantic import Field

from ast_edge.yaml_file import InputPath, OutputPath, Section

Fraction = Annotated[float, Field(ge=0, le=1)]


class PackConfig(Section):
    """A folder of recordings and the table that labels them."""

    table: InputPath
    """CSV with one row per recording."""
    audio: OutputPath
    """Folder that the table's file names are relative to."""
    licence: str = ""
    """Terms of the recordings, for the model card."""
    filename: str = "filename"
    """Column with the file name."""
    label: str = "label"
    """Column with the pack's own label."""
    labels: dict[str, str | None] = Field(default_factory=dict)
    """The pack's label -> one of the recipe's, or null to leave the recording out; "*" stands for
    every label not named. What is not mapped is an example of none of the labels."""
    background: bool = False
    """Use the recordings as background noise, not as examples."""
    group: str | None = None
    """Column that tells recordings of one source apart; a group is never split."""
    group_pattern: re.Pattern[str] = re.compile(".+")
    """Regular expression whose first match in that column names the group."""
    group_prefix: str = ""
    """Makes groups of several packs comparable: "freesound" for Freesound ids."""
    validation: dict[str, list[str | int]] = Field(default_factory=dict)
    """Rows with one of these values in these columns are for validation."""
    validation_share: Fraction = 0.0
    """And this share of the groups of each label, chosen by a hash of the group's name."""
    skip: dict[str, str] = Field(default_factory=dict)
    """Rows whose column contains the text are left out: {licence: none stated}."""


class MixConfig(Section):
    """How training examples are composed from recordings and backgrounds."""

    examples_per_epoch: int = Field(default=6400, gt=0)
    second: Fraction = 0.5
    """Probability that a second recording sounds at the same time."""
    second_db: tuple[float, float] = (-10.0, 10.0)
    """Its level against the first."""
    background: Fraction = 0.7
    """Probability of background noise."""
    snr_db: tuple[float, float] = (0.0, 30.0)
    level_dbfs: tuple[float, float] = (-50.0, -12.0)
    """RMS level of the loudest part of the mixture."""
    negatives: Fraction = 0.15
    """Share of examples that hold no label at all."""
    freq_mask: int = Field(default=24, ge=0)
    """SpecAugment: largest mask in mel bins."""
    time_mask: int = Field(default=24, ge=0)
    """Largest mask in frames."""
