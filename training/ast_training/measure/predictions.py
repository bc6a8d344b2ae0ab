"""Predictions: what a model said of every clip of a set, beside the truth.

A file of predictions is safetensors; the header's entry `ast_edge_predictions` is JSON: format,
labels, clips and activation.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ast_edge.base.errors import BundleError, ConfigError
from ast_training.base.atomic_file import atomic_file

FORMAT = 1
HEADER = "ast_edge_predictions"

Activation = Literal["sigmoid", "softmax"]


@dataclass(frozen=True, eq=False)
class Predictions:
    """The logits of a model for a set of clips, and their labels in truth."""

    labels: tuple[str, ...]
    clips: tuple[str, ...]
    """File names, or whatever names the clips."""
    targets: NDArray[np.float32]
    """(clips, labels), 0 or 1."""
    logits: NDArray[np.float32]
    """(clips, labels), what comes before the activation."""
    activation: Activation
    unknown: NDArray[np.bool_] | None = None
    """(clips, labels), where nobody said whether the label is heard: there the clip does not count
    for it. None if all is known."""

    def __post_init__(self) -> None:
        shape = (len(self.clips), len(self.labels))
        if not (self.targets.shape == self.logits.shape == shape and all(shape)):
            raise ValueError(
                f"targets {self.targets.shape} and logits {self.logits.shape} must be of "
                f"{shape[0]} clips and {shape[1]} labels"
            )
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("two labels have the same name")
        if self.activation not in ("sigmoid", "softmax"):
            raise ValueError(f"activation must be sigmoid or softmax, got {self.activation!r}")
        if not np.isin(self.targets, (0, 1)).all():
            raise ValueError("targets must be 0 or 1")
        if self.unknown is not None and self.unknown.shape != shape:
            raise ValueError(f"unknown {self.unknown.shape} must be of the targets' shape {shape}")
        bad = np.flatnonzero(~np.isfinite(self.logits).all(axis=1))
        if len(bad):
            raise BundleError(
                f"expected finite scores, got others for {len(bad)} of {len(self.clips)} clips "
                f"({self.clips[bad[0]]} is the first): the model or its input is damaged"
            )

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where it is known whether the label is heard (clips, labels)."""
        return np.ones(self.targets.shape, bool) if self.unknown is None else ~self.unknown

    @property
    def single_label(self) -> bool:
        """Tell whether every clip has exactly one label."""
        return bool((self.targets.sum(axis=1) == 1).all())

    def scores(self) -> NDArray[np.float32]:
        """Return what ranks clips as the probabilities do, without their ties at 0 and 1.

        Returns:
            (clips, labels): logits of a sigmoid, log-probabilities of a softmax.
        """
        if self.activation == "sigmoid":
            return self.logits
        return _log_softmax(self.logits).astype(np.float32)

    def probabilities(self) -> NDArray[np.float32]:
        """Return the model's outputs (clips, labels), 0 to 1."""
        log = _log_sigmoid if self.activation == "sigmoid" else _log_softmax
        return np.exp(log(self.logits)).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write the file; an existing one is replaced only when the new one is complete.

        Raises:
            TrainingError: if it cannot be written.
        """
        header = {
            "format": FORMAT,
            "labels": self.labels,
            "clips": self.clips,
            "activation": self.activation,
        }
        arrays = {"targets": self.targets, "logits": self.logits, "unknown": self.unknown}
        tensors = {
            name: np.ascontiguousarray(array, np.float32)
            for name, array in arrays.items()
            if array is not None
        }
        with atomic_file(path) as partial:
            partial.write_bytes(save(tensors, {HEADER: json.dumps(header)}))


def load_predictions(path: Path) -> Predictions:
    """Read a file of predictions.

    Raises:
        BundleError: if the file is missing, damaged, or holds no predictions.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "null"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as exc:
        raise BundleError(f"{path}: not a readable file of predictions: {exc}") from exc
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise BundleError(f"{path}: safetensors, but no ast-edge predictions of format {FORMAT}")
    try:
        return Predictions(
            labels=tuple(header["labels"]),
            clips=tuple(header["clips"]),
            targets=tensors["targets"],
            logits=tensors["logits"],
            activation=header["activation"],
            unknown=tensors["unknown"] > 0 if "unknown" in tensors else None,
        )
    except KeyError as exc:
        raise BundleError(f"{path}: the predictions lack {exc.args[0]!r}") from exc
    except (TypeError, ValueError) as exc:
        raise BundleError(f"{path}: the predictions are malformed: {exc}") from exc


def ensemble(members: Sequence[Predictions]) -> Predictions:
    """Combine models by the mean of their probabilities for each clip and label.

    The result is in logits again, those of the mean probability. They are computed from logarithms,
    so that no probability saturates and ties with others on the way.

    Raises:
        ConfigError: if there is no member, or the members are not of the same clips and labels.
    """
    if not members:
        raise ConfigError("expected predictions to combine, got none")
    first = members[0]
    for number, member in enumerate(members[1:], start=2):
        _check_same_set(first, member, number)
    if first.activation == "sigmoid":
        log_mean = _log_mean([_log_sigmoid(m.logits) for m in members])
        logits = log_mean - _log_mean([_log_sigmoid(-m.logits) for m in members])
    else:
        logits = _log_mean([_log_softmax(m.logits) for m in members])
    return replace(first, logits=logits.astype(np.float32))


def _check_same_set(first: Predictions, member: Predictions, number: int) -> None:
    for what in ("labels", "clips"):
        expected, found = getattr(first, what), getattr(member, what)
        if len(expected) != len(found):
            raise ConfigError(
                f"member {number}: expected the {len(expected)} {what} of the first member, got "
                f"{len(found)}: evaluate both on the same set"
            )
        other = next((pair for pair in zip(expected, found, strict=True) if len({*pair}) > 1), None)
        if other:
            raise ConfigError(
                f"member {number}: expected the {what} of the first member, got {other[1]!r} where "
                f"that has {other[0]!r}: evaluate both on the same set"
            )
    if member.activation != first.activation:
        raise ConfigError(
            f"member {number}: expected outputs by {first.activation} as of the first member, got "
            f"{member.activation}: combine models of one kind"
        )
    other_truth = np.flatnonzero((first.targets != member.targets).any(axis=1))
    if len(other_truth):
        raise ConfigError(
            f"member {number}: the clip {first.clips[other_truth[0]]!r} has other targets than in "
            "the first member: evaluate both on the same set"
        )


def _log_sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = -np.logaddexp(0, -logits.astype(np.float64))
    return result


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    others = np.exp(shifted)
    np.put_along_axis(others, shifted.argmax(axis=1)[:, None], 0, axis=1)
    # log1p keeps the digits of a sum that hardly exceeds its largest term, which is 1.
    result: NDArray[np.float64] = shifted - np.log1p(others.sum(axis=1, keepdims=True))
    return result


def _log_mean(logarithms: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Compute the logarithm of the mean of values that are given by their logarithms."""
    result: NDArray[np.float64] = np.logaddexp.reduce(logarithms, axis=0) - np.log(len(logarithms))
    return result
