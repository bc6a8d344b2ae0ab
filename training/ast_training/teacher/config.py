"""Teachers as a recipe lists them."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ast_edge.base.yaml_file import InputPath, Section
from ast_training.data.labels import label_table
from ast_training.data.tables import read_labels
from ast_training.teacher.ensemble import Ensemble
from ast_training.teacher.grid import RATE
from ast_training.teacher.heard import Teacher


class TeacherConfig(Section):
    """A network that knows sounds already."""

    kind: Literal["mobilenet", "yamnet", "onnx"]
    """A MobileNet of EfficientAT, Google's TFLite model, or any ONNX graph that takes samples."""
    weights: InputPath
    labels: InputPath | None = None
    """Names of its outputs, one on every line or a table like AudioSet's; without it AudioSet's
    527, and for YAMNet those in its file."""
    logits: bool = False
    """The ONNX graph lacks the sigmoid."""
    rate: int = Field(default=RATE, ge=1000, le=384_000)
    """Hertz that the ONNX graph takes."""

    @property
    def shows_features(self) -> bool:
        """Whether it says what it makes of a sound before it names it."""
        return self.kind == "mobilenet"


def open_teachers(configs: Sequence[TeacherConfig]) -> Ensemble:
    """Read teachers, and let them speak as one.

    Raises:
        BundleError: if one cannot be read, or is none of its kind.
        ConfigError: if its labels cannot be read.
    """
    return Ensemble([_open(config) for config in configs])


def _open(config: TeacherConfig) -> Teacher:
    # Imported where they are used: each needs a library of its own.
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
