"""Teachers as a recipe lists them."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from ast_edge.base.yaml_file import InputPath, Section
from ast_training.data.labels import label_table
from ast_training.data.packs import Fraction
from ast_training.data.tables import read_labels
from ast_training.teacher.ensemble import Ensemble
from ast_training.teacher.grid import RATE
from ast_training.teacher.heard import Teacher

SHOWS_FEATURES = "mobilenet"
"""The kind that says what it makes of a sound before it names it."""


class TeacherConfig(Section):
    """A network that knows sounds already."""

    kind: Literal["mobilenet", "yamnet", "onnx", "bundle"]
    """A MobileNet of EfficientAT, Google's TFLite model, any ONNX graph that takes samples, or the
    bundle.json of a bundle of ours."""
    weights: InputPath
    labels: InputPath | None = None
    """Names of its outputs, one on every line or a table like AudioSet's; without it AudioSet's
    527, and for YAMNet and bundles those that come with them."""
    logits: bool = False
    """The ONNX graph lacks the sigmoid."""
    rate: int = Field(default=RATE, ge=1000, le=384_000)
    """Hertz that the ONNX graph takes."""

    @model_validator(mode="after")
    def _a_bundle_names_its_labels(self) -> "TeacherConfig":
        if self.kind == "bundle" and self.labels:
            raise ValueError("labels: a bundle has its own; leave them out")
        return self


class AnnotationConfig(Section):
    """What the packs' labels are worth beside what the teachers hear."""

    doubt: Fraction = 0.5
    """Share that is believed of a teacher's probability of a label that was not placed in the
    example, unless a recording in it may hold it unannounced."""
    moments: bool = True
    """Whether teachers say when, too; without, that is what was composed alone."""


def open_teachers(configs: Sequence[TeacherConfig]) -> Ensemble:
    """Read teachers, and let them speak as one.

    Raises:
        BundleError: if one cannot be read, or is none of its kind.
        ConfigError: if its labels cannot be read.
    """
    return Ensemble([_open(config) for config in configs])


def _open(config: TeacherConfig) -> Teacher:
    # Imported where they are used: each needs a library of its own.
    if config.kind == "bundle":
        from ast_training.teacher.bundle_teacher import BundleTeacher

        return BundleTeacher(config.weights.parent)
    given = read_labels(config.labels) if config.labels else label_table("audioset")
    labels = tuple(label.name for label in given)
    if config.kind == "mobilenet":
        from ast_training.teacher.mobilenet import MobilenetTeacher

        return MobilenetTeacher(config.weights, labels)
    if config.kind == "yamnet":
        from ast_training.teacher.yamnet import YamnetTeacher

        return YamnetTeacher(config.weights, labels if config.labels else None)
    from ast_training.teacher.onnx_teacher import OnnxTeacher

    return OnnxTeacher(config.weights, labels, logits=config.logits, rate=config.rate)
