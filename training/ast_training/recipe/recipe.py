"""A training recipe: one YAML file under configs/train."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ast_edge.base.errors import ConfigError
from ast_edge.base.yaml_file import (
    OutputPath,
    Section,
    beside_the_file,
    load_yaml,
    parse_tree,
    read_tree,
)
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.label import Label
from ast_edge.model.label_names import why_unusable
from ast_edge.model.spec import SIZES, ModelSpec
from ast_training.data.clip_list import Split
from ast_training.data.labels import WantedList, label_table
from ast_training.data.packs import Fraction, PackConfig, PackList, PackSet
from ast_training.data.targets import Targets
from ast_training.model.lora import AdaptConfig
from ast_training.model.network import TrainingOptions
from ast_training.model.optimization import OptimizerConfig
from ast_training.recipe.overrides import override
from ast_training.soundscapes.config import SoundscapeConfig
from ast_training.teacher.config import SHOWS_FEATURES, AnnotationConfig, TeacherConfig


class FrontendConfig(Section):
    """The front end where it differs from AST's."""

    window: Literal["hanning", "hamming"] = "hanning"


class ModelConfig(Section):
    """Shape of the network, statistics of its input, and what it does in training only."""

    size: Literal["tiny", "small", "base"] = "tiny"
    depth: int = Field(default=12, gt=0)
    """Number of blocks; 12 in all published models."""
    frames: int = Field(gt=0)
    """Input window in frames of 10 ms."""
    patch: tuple[int, int] = (16, 16)
    stride: tuple[int, int] = (16, 16)
    """Smaller than the patch makes patches overlap."""
    mean: float
    std: float
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Stochastic depth of the last block."""
    patchout: tuple[int, int] = (0, 0)
    """Rows (frequency) and columns (time) of patches that each step leaves out (PaSST)."""
    frame_head: bool = False
    """Score every step of the window too; it is trained together with the clip's scores."""
    stem: int = Field(default=0, ge=0)
    """Channels of a convolutional network (384: `mn04` of EfficientAT) whose features are added to
    the patches and read by the heads; 0 is AST as published."""
    yamnet: bool = False
    """The same with YAMNet's features."""
    prior: float | None = Field(default=None, gt=0, lt=1)
    """Probability that every label has before the training (RetinaNet, section 4.1): of hundreds of
    labels few sound, and learning that from 0.5 takes hundreds of steps. None keeps AST's start."""


class FirstHeads(Section):
    """Heads by logistic regression on recordings and soundscapes."""

    pull: float = Field(default=0.1, gt=0)
    """How much they are held to what the stem's networks themselves call each label."""
    examples: int = Field(default=6400, ge=0)
    """Soundscapes to compose; without any only recordings count."""


class InitConfig(Section):
    """Weights to start from."""

    source: OutputPath | None = None
    """A DeiT checkpoint, an AST of the official or a Hugging Face layout, or one of ours."""
    stem: OutputPath | None = None
    """Weights of EfficientAT for the model's stem."""
    yamnet: OutputPath | None = None
    """Google's TFLite model, for the model's stem."""
    heads: FirstHeads | None = None
    """Fits the heads of a model with a stem before the training."""
    pos_embed: Literal["bilinear", "nearest", "reinit"] = "bilinear"
    """How the positional embedding is fitted to another grid of patches (paper, table 4)."""


class DataConfig(Section):
    """Clips that `ast-train prepare` has listed, and which of them train."""

    folder: OutputPath
    train: list[Split] = Field(default=["train"], min_length=1)
    """Splits to train on."""
    evaluate: list[Split] = Field(default=["validation"], min_length=1)
    """Splits to evaluate on after every epoch."""
    fold: int | None = Field(default=None, ge=1)
    """Evaluate on this fold and train on all others, whatever the splits."""


class AugmentConfig(Section):
    """What is done to training clips, in the order of AST's loader (paper, section 3.1)."""

    mixup: Fraction = 0.0
    """Probability that a clip is mixed with another at the waveform, by Beta(10, 10)."""
    freq_mask: int = Field(default=0, ge=0)
    """SpecAugment: largest mask in mel bins."""
    time_mask: int = Field(default=0, ge=0)
    """Largest mask in frames."""
    noise: bool = False
    """Add uniform noise of random strength, up to 0.1, to the normalised features."""
    roll: int = Field(default=0, ge=0)
    """Shift by up to this many frames, around the end."""
    crop: Literal["head", "random"] = "head"
    """Which part of a clip that is longer than the window to take."""


class LoopConfig(Section):
    """How the work is done: changes speed and memory, not what is learnt but for rounding.

    (Patchout and stochastic depth draw anew in every accumulated part.)
    """

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Of the matrix products; auto: bf16 where the processor multiplies it faster. fp16 scales the
    loss and skips steps whose gradient overflows."""
    accumulate: int = Field(default=1, gt=0)
    """Parts that a process computes its share of a batch in, one after another."""
    compile: bool = False
    """Fuse the network's kernels with torch.compile; needs a C++ compiler on a CPU."""
    activation_checkpointing: bool = False
    """Less memory for a third more time."""
    workers: int = Field(default=0, ge=0)
    """Processes that prepare examples; 0 prepares them in between."""
    save_every: int = Field(default=0, ge=0)
    """Steps between checkpoints within an epoch; 0 saves at its end only."""
    decoded: Literal["memory"] | OutputPath | None = None
    """Folder for the recordings of packs, and the clips of prepared sets, as they were decoded, for
    all processes and the next training; by default in the user's cache, where no set of more than
    16 GB is kept. `memory` writes none."""


class Recipe(Section):
    """Everything that defines a training run but the place of its files.

    Its examples are either composed of recordings (`packs`, `soundscapes`) or clips as they are,
    augmented as in the paper (`data`, `augment`).
    """

    name: str
    seed: int = Field(default=1, ge=0)
    labels: dict[str, str]
    """Display name -> AudioSet machine id, in the order of the model's outputs; or the name of a
    table that comes with this package: audioset, esc50, speechcommands."""
    frontend: FrontendConfig = FrontendConfig()
    model: ModelConfig
    init: InitConfig | None = None
    adapt: AdaptConfig | None = None
    """Learn a part of the model that `init` gives; without it all is learnt."""
    packs: dict[str, PackConfig] = Field(default_factory=dict)
    """Recordings to compose examples of; or the name of a file that lists them."""
    terms: re.Pattern[str] = re.compile("")
    """Expression that is found in the terms of all that trains; others are held out or left out."""
    soundscapes: SoundscapeConfig = SoundscapeConfig()
    teachers: list[TeacherConfig] = Field(default_factory=list)
    """Networks that hear every composed example; what they say is learnt, not what was composed."""
    hint: float = Field(default=0.0, ge=0)
    """With teachers: how much their features count in the loss, which a linear layer guesses from
    the student's; of the scores it is the mean over the labels."""
    annotation: AnnotationConfig | None = None
    """With teachers: what was composed is learnt as well, where and when it was placed."""
    wanted: list[str] = Field(default_factory=list)
    """The labels that the model is made for (or a file that lists them), if not all: the others are
    learnt beside them, are not measured, and are left out of a bundle."""
    auxiliary: float = Field(default=0.1, ge=0, le=1)
    """How much a label that is not wanted counts in the loss; a wanted one counts 1."""
    data: DataConfig | None = None
    augment: AugmentConfig = AugmentConfig()
    sampler: Literal["shuffle", "balanced"] = "shuffle"
    """`balanced` draws clips with replacement, the more often the rarer their labels."""
    loss: Literal["bce", "ce"] = "bce"
    """Binary cross-entropy per label, or cross-entropy over the labels (with soft targets)."""
    class_weights: float = Field(default=0.0, ge=0, lt=1)
    """Of `data`: how much more a rare label counts in the loss, see `effective_number_weights`; 0
    counts all alike, 0.999 tells labels of less than some thousand clips apart."""
    select: Literal["map", "accuracy", "events"] = "map"
    """What the best checkpoint is chosen by: clips told apart, or events found in scenes."""
    patience: int | None = Field(default=None, gt=0)
    """Epochs in a row without a better figure of `select` that end the training."""
    average: tuple[int, int] | None = None
    """First and last epoch whose weights are averaged at the end (paper, section 3.1)."""
    optimizer: OptimizerConfig = OptimizerConfig()
    loop: LoopConfig = LoopConfig()
    licence: str = ""
    """Terms of the trained weights, as the data's licences allow."""

    @field_validator("labels", mode="before")
    @classmethod
    def _labels_of_a_table(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str):
            return {label.name: label.mid for label in label_table(value)}
        return value

    @field_validator("packs", "wanted", mode="before")
    @classmethod
    def _of_a_file(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        path = beside_the_file(Path(value), info)
        # Packs as they are: their paths are relative to their own file, and found.
        packs = info.field_name == "packs"
        return load_yaml(path, PackList).packs if packs else load_yaml(path, WantedList).wanted

    @model_validator(mode="after")
    def _labels_exist(self) -> "Recipe":
        targets = Targets(self.labels)
        for name, pack in self.packs.items():
            unknown = [n for n in pack.labels.values() if n is not None and not targets.knows(n)]
            if unknown:
                raise ValueError(
                    f"packs.{name}.labels: {unknown[0]!r} is none of the labels, and no name of "
                    "AudioSet's"
                )
        return self

    @model_validator(mode="after")
    def _wants_labels_that_it_has(self) -> "Recipe":
        for name in self.wanted:
            if name not in self.labels:
                raise ValueError(f"wanted: {name!r} is none of the labels")
        return self

    @model_validator(mode="after")
    def _has_one_kind_of_examples(self) -> "Recipe":
        if bool(self.packs) == (self.data is not None):
            raise ValueError("expected either packs or data to train on, not both and not neither")
        if self.model.frame_head and not self.packs:
            raise ValueError("model.frame_head: learns from soundscapes: give packs, not data")
        return self

    @model_validator(mode="after")
    def _has_a_teacher_to_guess_of(self) -> "Recipe":
        if self.hint and all(one.kind != SHOWS_FEATURES for one in self.teachers):
            raise ValueError("hint: expected a teacher that shows its features (mobilenet)")
        return self

    @model_validator(mode="after")
    def _can_choose(self) -> "Recipe":
        if self.select == "events" and not self.scores_scenes:
            raise ValueError(
                "select: events needs packs, model.frame_head and soundscapes.validation_minutes"
            )
        return self

    @model_validator(mode="after")
    def _averages_epochs_that_exist(self) -> "Recipe":
        if self.average is not None:
            first, last = self.average
            if not 1 <= first <= last <= self.optimizer.epochs:
                raise ValueError(
                    f"average: expected first and last of {self.optimizer.epochs} epochs, "
                    f"got {first} and {last}"
                )
        return self

    @model_validator(mode="after")
    def _adapts_something(self) -> "Recipe":
        if self.adapt is not None and (self.init is None or self.init.source is None):
            raise ValueError("adapt: needs init.source, the weights that are adapted")
        if self.adapt is not None and self.optimizer.stem:
            raise ValueError("optimizer.stem: adapt leaves the stem as it is, leave one out")
        return self

    @model_validator(mode="after")
    def _has_a_stem_that_knows(self) -> "Recipe":
        init = self.init or InitConfig()
        for name in ("stem", "yamnet"):
            wanted, given = getattr(self.model, name), getattr(init, name)
            if wanted and not (given or init.source):
                raise ValueError(f"model.{name}: does not learn: give its weights by init.{name}")
            if given and not wanted:
                raise ValueError(f"init.{name}: the model has none, ask for it by model.{name}")
            if init.heads and wanted and not given:
                raise ValueError(f"init.heads: needs init.{name}, whose labels it holds to")
        if init.heads and not (self.packs and (init.stem or init.yamnet)):
            raise ValueError("init.heads: needs packs and a stem")
        return self

    @model_validator(mode="after")
    def _ends_once(self) -> "Recipe":
        if self.patience is not None and self.average is not None:
            raise ValueError("patience: may end before the epochs of average; give one of them")
        return self

    @model_validator(mode="after")
    def _favours_rare_labels_once(self) -> "Recipe":
        if self.class_weights and self.data is None:
            raise ValueError("class_weights: soundscapes draw labels by their sources already")
        if self.class_weights and self.sampler == "balanced":
            raise ValueError("class_weights: the balanced sampler favours rare labels already")
        return self

    @model_validator(mode="after")
    def _make_a_bundle(self) -> "Recipe":
        """Find now what would else be found when the trained model is exported."""
        if fault := why_unusable(self.label_set):
            raise ValueError(f"labels: {fault}")
        grid = self.model_spec.grid  # refuses a window without a patch
        if any(out >= size for out, size in zip(self.model.patchout, grid, strict=True)):
            raise ValueError(f"model.patchout: leaves nothing of a grid of {grid} patches")
        return self

    @property
    def pack_set(self) -> PackSet:
        """What recordings are to be read."""
        return PackSet(self.packs, self.labels, self.terms)

    @property
    def scores_scenes(self) -> bool:
        """Whether the steps of the model are scored on scenes after every epoch."""
        minutes = self.soundscapes.validation_minutes
        return bool(self.packs) and self.model.frame_head and minutes > 0

    @property
    def fbank_spec(self) -> FbankSpec:
        """The front end."""
        return FbankSpec(window=self.frontend.window)

    @property
    def model_spec(self) -> ModelSpec:
        """The network."""
        width, _, heads = SIZES[self.model.size]
        return ModelSpec(
            labels=len(self.labels),
            frames=self.model.frames,
            mel_bins=self.fbank_spec.mel_bins,
            width=width,
            depth=self.model.depth,
            heads=heads,
            patch=self.model.patch,
            stride=self.model.stride,
            mean=self.model.mean,
            std=self.model.std,
            activation="sigmoid" if self.loss == "bce" else "softmax",
            frame_head=self.model.frame_head,
            stem=self.model.stem,
            yamnet=self.model.yamnet,
        )

    @property
    def training_options(self) -> TrainingOptions:
        """What the network does in training only."""
        return TrainingOptions(
            drop_path=self.model.drop_path,
            patchout=self.model.patchout,
            activation_checkpointing=self.loop.activation_checkpointing,
        )

    @property
    def label_weights(self) -> list[float] | None:
        """How much each label counts in the loss; None if all count alike."""
        if not self.wanted:
            return None
        return [1.0 if name in self.wanted else self.auxiliary for name in self.labels]

    @property
    def label_set(self) -> tuple[Label, ...]:
        """The model's outputs in order."""
        return tuple(Label(i, name, mid) for i, (name, mid) in enumerate(self.labels.items()))


def load_recipe(path: Path, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe, with settings in place of its own (see `override`).

    Raises:
        ConfigError: in one line with the file, the key path and, for a typo, the nearest match.
    """
    if not settings:
        return load_yaml(path, Recipe)
    tree = read_tree(path)
    if not isinstance(tree, dict):
        return load_yaml(path, Recipe)  # which says what is wrong
    changed = override(tree, settings, path)
    try:
        return parse_tree(changed, Recipe, path)
    except ConfigError as exc:  # what is wrong may not stand in the file
        raise ConfigError(f"{exc} (with --set {' --set '.join(settings)})") from exc
