"""A training recipe: one YAML file under configs/train."""

import math
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ast_edge.events import Label
from ast_edge.fbank import FbankSpec
from ast_edge.spec import SIZES, ModelSpec
from ast_edge.yaml_file import InputPath, OutputPath, Section, load_yaml

Fraction = Annotated[float, Field(ge=0, le=1)]


class FrontendConfig(Section):
    """The front end where it differs from AST's."""

    window: Literal["hanning", "hamming"] = "hanning"


class ModelConfig(Section):
    """Shape of the network and statistics of its input."""

    size: Literal["tiny", "small", "base"] = "tiny"
    frames: int = Field(gt=0)
    """Input window in frames of 10 ms."""
    patch: tuple[int, int] = (16, 16)
    stride: tuple[int, int] = (16, 16)
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Stochastic depth of the last block."""
    mean: float
    std: float


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


class OptimizerConfig(Section):
    """AdamW with linear warm-up and a cosine to zero; the weights' moving average is what ships."""

    lr: float = Field(default=5e-4, gt=0)
    batch: int = Field(default=64, gt=0)
    epochs: int = Field(default=30, gt=0)
    examples_per_epoch: int = Field(default=6400, gt=0)
    warmup_epochs: float = Field(default=2.0, ge=0)
    weight_decay: float = Field(default=0.05, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    ema: Fraction = 0.999
    """Decay per step of the moving average of the weights."""
    precision: Literal["auto", "f32", "bf16"] = "auto"
    """bf16 autocast where the processor has it, or as said."""

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps; what is left over of an epoch's examples is not used."""
        return max(1, self.examples_per_epoch // self.batch)

    def lr_at(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then a half cosine to zero."""
        warmup = self.warmup_epochs * self.steps_per_epoch
        if step < warmup:
            return self.lr * (step + 1) / warmup
        total = self.epochs * self.steps_per_epoch
        progress = (step - warmup) / max(1, total - warmup)
        return self.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class Recipe(Section):
    """Everything that defines a training run but the place of its files."""

    name: str
    seed: int = 1
    labels: dict[str, str]
    """Display name -> AudioSet machine id; the order is that of the model's outputs."""
    frontend: FrontendConfig = FrontendConfig()
    model: ModelConfig
    packs: dict[str, PackConfig]
    mix: MixConfig = MixConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    licence: str = ""
    """Terms of the trained weights, as the data's licences allow."""

    @model_validator(mode="after")
    def _labels_exist(self) -> "Recipe":
        for name, pack in self.packs.items():
            unknown = sorted(set(pack.labels.values()) - {*self.labels, None}, key=str)
            if unknown:
                raise ValueError(f"packs.{name}.labels: {unknown[0]!r} is none of the labels")
        return self

    @model_validator(mode="after")
    def _make_a_bundle(self) -> "Recipe":
        """Find now what would else be found when the trained model is exported."""
        slugs = Counter(label.slug for label in self.label_set)
        twice = [label.name for label in self.label_set if slugs[label.slug] > 1]
        if twice:
            raise ValueError(f"labels: {', '.join(map(repr, twice))} have the same topic name")
        _ = self.model_spec  # refuses a window without a patch
        return self

    @property
    def fbank_spec(self) -> FbankSpec:
        """The front end."""
        return FbankSpec(window=self.frontend.window)

    @property
    def model_spec(self) -> ModelSpec:
        """The network."""
        width, depth, heads = SIZES[self.model.size]
        return ModelSpec(
            labels=len(self.labels),
            frames=self.model.frames,
            mel_bins=self.fbank_spec.mel_bins,
            width=width,
            depth=depth,
            heads=heads,
            patch=self.model.patch,
            stride=self.model.stride,
            mean=self.model.mean,
            std=self.model.std,
        )

    @property
    def label_set(self) -> tuple[Label, ...]:
        """The model's outputs in order."""
        return tuple(Label(i, name, mid) for i, (name, mid) in enumerate(self.labels.items()))


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        ConfigError: in one line with the file, the key path and, for a typo, the nearest match.
    """
    return load_yaml(path, Recipe)
