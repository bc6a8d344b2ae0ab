"""Calibration of a trained model: probabilities that mean what they say, by sounds held out."""

import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from ast_edge.base.errors import BundleError, ConfigError
from ast_training.data.clip_list import Split
from ast_training.data.example import batches
from ast_training.data.recordings import read_recordings
from ast_training.measure.evidence import check_test_split
from ast_training.measure.held_out_metrics import measure_on_test
from ast_training.measure.platt import Platt, calibration_error, fit_platt
from ast_training.model.checkpoint import Checkpoint, load_checkpoint
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.recipe.recipe import Recipe
from ast_training.run.state import check_made_by
from ast_training.run.training_data import open_composer
from ast_training.soundscapes.examples import SoundscapeExamples

WINDOWS = 4000
BATCH = 64
KEY = "platt"
"""Of a calibration among a checkpoint's metrics."""
HEADS = {"mlp_head": "clip", "frame_head": "frame"}
"""A head's name among the weights, and that of what it scores."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """How the scores of one label were scaled."""

    platt: Platt
    positives: int
    """Windows, or steps of them, in which the label sounds."""
    ece: tuple[float, float] | None
    """Expected calibration error before and after, on other sources than it was fitted on; None
    if the label does not sound in those."""


@dataclass(frozen=True)
class LabelCalibration:
    """One label, as a window's and as a step's."""

    sources: int
    """Independent recordings that the positives come from."""
    clip: Fitted
    frame: Fitted | None


@dataclass(frozen=True)
class Calibration:
    """All labels of a model by name, and on how many windows they were fitted and tested."""

    fitted: int
    tested: int
    labels: dict[str, LabelCalibration]

    @property
    def errors(self) -> tuple[float, float]:
        """Mean calibration error of windows and steps over all labels, before and after."""
        each = [
            fitted.ece
            for label in self.labels.values()
            for fitted in (label.clip, label.frame)
            if fitted and fitted.ece
        ]
        return fmean(e[0] for e in each), fmean(e[1] for e in each)

    @property
    def helps(self) -> bool:
        """Whether probabilities come closer to how often they are right, of other sources."""
        before, after = self.errors
        return after < before


@dataclass(frozen=True, eq=False)
class _Heard:
    """What a model said of composed windows, and what sounds in them."""

    clip: NDArray[np.float32]
    """Logits (n, labels)."""
    clip_targets: NDArray[np.int8]
    """As `_said`."""
    frame: NDArray[np.float32]
    """Logits (n * steps, labels)."""
    frame_targets: NDArray[np.int8]
    sources: tuple[int, ...]
    """Of each label."""


def calibrate(path: Path, recipe: Recipe, windows: int = WINDOWS) -> Calibration:
    """Fit every label, and store that beside the weights of the checkpoint at `path`.

    Fitted on windows composed of the recordings for validation, tested on as many of those for
    testing. The clip-level metrics are measured again, on those for testing alone: the others chose
    the epoch. The weights stay as they are: an export calls `folded`.

    Raises:
        BundleError: if it is no checkpoint of ours.
        ConfigError: if it was not made by the recipe, has a softmax, or too little was held out.
    """
    checkpoint = load_checkpoint(path)
    check_made_by(recipe, checkpoint, path)
    if checkpoint.model.activation != "sigmoid":
        raise ConfigError(f"{path}: has a softmax; labels are calibrated one by one, by a sigmoid")
    recordings = read_recordings(recipe.pack_set)
    held_out = [r for r in recordings if r.split != "train" and r.role == "events"]
    for split in ("validation", "test"):
        if not any(r.split == split and r.targets for r in held_out):
            raise ConfigError(
                f"the recipe {recipe.name!r} holds out no recording with a label for {split}: "
                f"give its packs a {split}_share"
            )
    check_test_split(recipe, recordings)
    model = checkpoint.build()
    calibration = _fit(
        checkpoint,
        _listen(model, recipe, "validation", windows),
        _listen(model, recipe, "test", windows),
    )
    test = [r for r in held_out if r.split == "test"]
    metrics = measure_on_test(model, recipe, test) | {KEY: asdict(calibration)}
    replace(checkpoint, metrics=metrics).save(path)
    return calibration


def calibration_of(checkpoint: Checkpoint) -> Calibration | None:
    """Return what `calibrate` has stored, if it has.

    Raises:
        BundleError: if that is malformed.
    """
    if KEY not in checkpoint.metrics:
        return None
    try:
        calibration = TypeAdapter(Calibration).validate_python(checkpoint.metrics[KEY])
    except ValidationError as exc:
        raise BundleError(f"the checkpoint's calibration is malformed: {exc}") from exc
    missing = [label.name for label in checkpoint.labels if label.name not in calibration.labels]
    if missing:
        raise BundleError(f"the checkpoint's calibration lacks the label {missing[0]!r}")
    return calibration


def folded(checkpoint: Checkpoint) -> Checkpoint:
    """Put the calibration into the last layer of the heads, where it is free, if it helps.

    The metrics then say what was done, and how large each label's calibration error is.

    Raises:
        BundleError: as `calibration_of`.
    """
    calibration = calibration_of(checkpoint)
    if calibration is None:
        return checkpoint
    labels = {
        name: quality | {"ece": ece and ece[calibration.helps]}
        for name, quality in checkpoint.metrics["labels"].items()
        for ece in [calibration.labels[name].clip.ece]
    }
    metrics = {key: value for key, value in checkpoint.metrics.items() if key != KEY}
    return replace(
        checkpoint,
        weights=_scaled(checkpoint, calibration) if calibration.helps else checkpoint.weights,
        metrics=metrics | {"labels": labels, "calibration": _in_words(calibration)},
    )


def _scaled(checkpoint: Checkpoint, calibration: Calibration) -> dict[str, torch.Tensor]:
    weights = dict(checkpoint.weights)
    for head, scores in HEADS.items():
        fitted = [getattr(calibration.labels[label.name], scores) for label in checkpoint.labels]
        if all(fitted) and f"{head}.1.weight" in weights:
            bias = weights[f"{head}.1.bias"]
            slope = bias.new_tensor([one.platt.slope for one in fitted])
            offset = bias.new_tensor([one.platt.offset for one in fitted])
            for name in (f"{head}.1.weight", f"{head}.1.told"):
                if name in weights:
                    weights[name] = weights[name] * slope[:, None]
            weights[f"{head}.1.bias"] = bias * slope + offset
    return weights


def _in_words(calibration: Calibration) -> str:
    before, after = calibration.errors
    change = f"the mean error on {calibration.tested} windows of others from {before:.4f}"
    fit = f"Platt scaling per label on {calibration.fitted} windows composed of held-out recordings"
    if calibration.helps:
        return f"{fit}, which took {change} to {after:.4f}"
    return f"the model's own probabilities, since {fit} took {change} to {after:.4f}"


def _fit(checkpoint: Checkpoint, heard: _Heard, test: _Heard) -> Calibration:
    def fit(scores: str, column: int) -> Fitted:
        logits, targets = _known(heard, scores, column)
        platt = fit_platt(logits, targets, heard.sources[column])
        logits, truth = _known(test, scores, column)
        errors = None
        if truth.any():
            before, after = (
                round(calibration_error(one.probabilities(logits), truth), 5)
                for one in (Platt(), platt)
            )
            errors = before, after
        return Fitted(
            Platt(round(platt.slope, 5), round(platt.offset, 5)),
            int(targets.sum()),
            errors,
        )

    return Calibration(
        len(heard.clip),
        len(test.clip),
        {
            label.name: LabelCalibration(
                heard.sources[label.index],
                fit("clip", label.index),
                fit("frame", label.index) if checkpoint.model.frame_head else None,
            )
            for label in checkpoint.labels
        },
    )


def _known(
    heard: _Heard, scores: str, column: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the logits of a label and whether it sounds, where that is known."""
    targets = getattr(heard, f"{scores}_targets")[:, column]
    known = targets >= 0
    return getattr(heard, scores)[known, column], targets[known] > 0


def _said(targets: torch.Tensor) -> torch.Tensor:
    """Return 1 where a label sounds, 0 where it does not, -1 where nobody has said it (NaN)."""
    return torch.where(targets.isnan(), -1, (targets > 0).int()).to(torch.int8)


@torch.inference_mode()
def _listen(
    model: AudioSpectrogramTransformer, recipe: Recipe, split: Split, windows: int
) -> _Heard:
    """Score windows that are composed as for training, but not masked, of a split's recordings."""
    log.info("scoring %d windows of the %s recordings", windows, split)
    unmasked = recipe.soundscapes.model_copy(update={"freq_mask": 0, "time_mask": 0})
    composer = open_composer(recipe.model_copy(update={"soundscapes": unmasked}), split)
    examples = SoundscapeExamples(composer, recipe.model_spec, recipe.fbank_spec, recipe.seed)
    positions = [range(at, min(at + BATCH, windows)) for at in range(0, windows, BATCH)]
    parts = []
    for batch in batches(examples, 0, positions, recipe.loop.workers):
        clip, frame = model.forward_both(batch.features)
        steps = frame.flatten(0, 1), _said(batch.frame.flatten(0, 1))
        parts.append((clip, _said(batch.clip), *steps))
    groups: list[set[str]] = [set() for _ in recipe.labels]
    for recording in composer.events.recordings:
        for target in recording.targets:
            groups[target].add(recording.group)
    logits, sounds, step_logits, step_sounds = (
        torch.cat(part).numpy() for part in zip(*parts, strict=True)
    )
    return _Heard(logits, sounds, step_logits, step_sounds, tuple(map(len, groups)))
