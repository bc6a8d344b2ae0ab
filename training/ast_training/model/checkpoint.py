"""Checkpoints: weights as safetensors with everything that describes them in the header.

One file, written atomically, free of pickle. The header's entry `ast_edge` is JSON: format, specs,
labels, recipe, epoch and metrics.
"""

import json
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ast_edge.base.errors import BundleError
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.label import Label
from ast_edge.model.spec import ModelSpec
from ast_training.base.atomic_file import atomic_file
from ast_training.base.errors import TrainingError
from ast_training.model.network import AudioSpectrogramTransformer

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A model's weights and what they are."""

    model: ModelSpec
    fbank: FbankSpec
    labels: tuple[Label, ...]
    weights: dict[str, Tensor]
    """Parameters of `AudioSpectrogramTransformer`."""
    recipe: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0
    """Epochs trained."""
    metrics: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    """Versions and revision that made it."""
    state: dict[str, Tensor] = field(default_factory=dict)
    """Raw weights and optimizer state for resuming; empty in a checkpoint to hand on."""

    def build(self, share: bool = False) -> AudioSpectrogramTransformer:
        """Make the model with these weights, in evaluation mode; or with `share` with these very
        tensors, which is for models that are only read and halves the memory.

        Raises:
            BundleError: if the weights are not those of such a model.
        """
        self._check_size()
        model = AudioSpectrogramTransformer(self.model)
        try:
            model.load_state_dict(self.weights, assign=share)
        except RuntimeError as exc:
            raise BundleError(f"the checkpoint's weights do not fit its model: {exc}") from exc
        return model.eval()

    def _check_size(self) -> None:
        """Refuse a spec of a model far larger than the weights, before memory is taken for it."""
        spec, numbers = self.model, sum(tensor.numel() for tensor in self.weights.values())
        patch = spec.patch[0] * spec.patch[1]
        largest = (spec.depth * spec.width, spec.tokens, spec.labels, patch, spec.stem)
        if spec.width * max(largest) > numbers:
            raise BundleError(
                f"the checkpoint's weights do not fit its model: {numbers} numbers for {spec}"
            )

    def save(self, path: Path) -> None:
        """Write the file; an existing one is replaced only when the new one is complete.

        Raises:
            TrainingError: if it cannot be written (a full disk).
        """
        header = {
            "format": FORMAT,
            "model": asdict(self.model),
            "fbank": asdict(self.fbank),
            "labels": [asdict(label) for label in self.labels],
            "recipe": self.recipe,
            "epoch": self.epoch,
            "metrics": self.metrics,
            "provenance": self.provenance,
        }
        tensors = {f"weights.{k}": v.contiguous() for k, v in self.weights.items()}
        tensors |= {f"state.{k}": v.contiguous() for k, v in self.state.items()}
        try:
            with atomic_file(path) as partial:
                save_file(tensors, partial, metadata={"ast_edge": json.dumps(header)})
        except SafetensorError as exc:
            raise TrainingError(f"{path}: cannot be written: {exc}") from exc


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of ours.

    Raises:
        BundleError: if the file is missing, damaged, or no checkpoint of this project.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("ast_edge", "null"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as exc:
        raise BundleError(f"{path}: not a readable checkpoint: {exc}") from exc
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise BundleError(f"{path}: safetensors, but no ast-edge checkpoint of format {FORMAT}")
    try:
        return Checkpoint(
            model=_read(ModelSpec, header["model"]),
            fbank=_read(FbankSpec, header["fbank"]),
            labels=tuple(_read(Label, label) for label in header["labels"]),
            weights=_part(tensors, "weights."),
            recipe=_read(dict[str, Any], header["recipe"]),
            epoch=_read(int, header["epoch"]),
            metrics=_read(dict[str, Any], header["metrics"]),
            provenance=_read(dict[str, str], header["provenance"]),
            state=_part(tensors, "state."),
        )
    except KeyError as exc:
        raise BundleError(f"{path}: the checkpoint's header lacks {exc.args[0]!r}") from exc
    except (TypeError, ValueError, RecursionError) as exc:
        raise BundleError(f"{path}: the checkpoint's header is malformed: {exc}") from exc


Value = TypeVar("Value")


def _read(kind: type[Value], value: object) -> Value:
    """Take a value of JSON as what it is to be; an unknown field would be ignored silently."""
    if is_dataclass(kind) and isinstance(value, dict):
        unknown = value.keys() - {field.name for field in fields(kind)}
        if unknown:
            raise ValueError(f"{kind.__name__} has no {sorted(unknown)[0]!r}")
    return TypeAdapter(kind).validate_python(value)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
