"""A recipe's examples to train on and clips to evaluate on."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import ConfigError
from ast_training.data.audio_cache import AudioCache, decoded_folder
from ast_training.data.clip_list import Split
from ast_training.data.clips import ClipSet
from ast_training.data.decoded_clips import with_decoded
from ast_training.data.example import Examples
from ast_training.data.moments import statistics
from ast_training.data.recordings import read_recordings
from ast_training.measure.evaluation import ClipEvaluation, EvaluationSet
from ast_training.measure.validation import ValidationSet
from ast_training.recipe.recipe import DataConfig, Recipe
from ast_training.run.clip_examples import ClipExamples
from ast_training.soundscapes.composer import Composer
from ast_training.soundscapes.example_cache import ExampleCache
from ast_training.soundscapes.examples import SoundscapeExamples
from ast_training.soundscapes.teaching import Teaching
from ast_training.teacher.config import open_teachers


def open_data(recipe: Recipe, cache: Path | None = None) -> tuple[Examples, EvaluationSet]:
    """Open what the recipe trains and evaluates on.

    Args:
        recipe: says what.
        cache: folder to keep composed examples in that are seen again; None composes them again.

    Raises:
        ConfigError: if there is nothing to train or to evaluate on, or the labels are others.
    """
    if recipe.data is None:
        return _open_packs(recipe, cache)
    clips = open_clips(recipe, recipe.data)
    train, held_out = _select(clips, recipe.data)
    if not len(train) or not len(held_out):
        raise ConfigError(
            f"{recipe.data.folder}: expected clips to train on and to evaluate on, got "
            f"{len(train)} and {len(held_out)}: see data.train, data.evaluate and data.fold"
        )
    clips = with_decoded(clips, np.concatenate([train, held_out]), recipe.loop.decoded)
    return ClipExamples(clips, train, recipe), ClipEvaluation(clips, held_out, recipe)


def open_evaluation(recipe: Recipe, splits: list[str] | None = None) -> EvaluationSet:
    """Open the recipe's clips to evaluate on, or those of the given splits.

    Raises:
        ConfigError: if there are none, or the labels are others than the recipe's.
    """
    if recipe.data is None:
        if splits:
            raise ConfigError("packs have no splits to choose from: they validate on what they say")
        return _open_packs_to_evaluate(recipe)
    clips = open_clips(recipe, recipe.data)
    chosen = clips.select(splits=splits) if splits else _select(clips, recipe.data)[1]
    if not len(chosen):
        what = f"splits {', '.join(splits)}" if splits else "data.evaluate and data.fold"
        raise ConfigError(f"{recipe.data.folder}: there are no clips to evaluate on: see {what}")
    return ClipEvaluation(clips, chosen, recipe)


def example_statistics(recipe: Recipe) -> tuple[float, float]:
    """Compute mean and std of the recipe's training examples, as AST's statistics were.

    With padding, masks and mixtures, over an epoch or 10,000 examples spread over it; those of the
    plain frames are in `ClipSet`.

    Raises:
        ConfigError: as `open_data`.
    """
    examples, _ = open_data(recipe)
    positions = np.linspace(0, len(examples) - 1, min(len(examples), 10_000)).astype(int)
    return statistics(examples.batch(0, [position])[0].features for position in positions.tolist())


def open_clips(recipe: Recipe, data: DataConfig) -> ClipSet:
    """Open the prepared clips and see that their labels are the recipe's."""
    clips = ClipSet.open(data.folder)
    found, wanted = [label.name for label in clips.labels], list(recipe.labels)
    if found != wanted:
        other = next(
            (pair for pair in zip(wanted, found, strict=False) if pair[0] != pair[1]), None
        )
        detail = f"{other[1]!r} where that has {other[0]!r}" if other else f"{len(found)} labels"
        raise ConfigError(
            f"{data.folder}: expected the {len(wanted)} labels of the recipe {recipe.name!r}, "
            f"got {detail}"
        )
    return clips


def _select(clips: ClipSet, data: DataConfig) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if data.fold is None:
        return clips.select(splits=data.train), clips.select(splits=data.evaluate)
    held_out = clips.select(folds=[data.fold])
    everything: NDArray[np.int64] = np.arange(len(clips))
    return np.setdiff1d(everything, held_out), held_out


def _open_packs(recipe: Recipe, cache: Path | None) -> tuple[Examples, EvaluationSet]:
    teaching = None
    if recipe.teachers:
        doubt = recipe.annotation.doubt if recipe.annotation else None
        teaching = Teaching(
            partial(open_teachers, recipe.teachers),
            list(recipe.labels),
            doubt,
            moments=recipe.annotation is None or recipe.annotation.moments,
            hints=recipe.hint > 0,
        )
    examples = SoundscapeExamples(
        open_composer(recipe, "train"),
        recipe.model_spec,
        recipe.fbank_spec,
        recipe.seed,
        teaching,
        ExampleCache(cache) if cache else None,
    )
    return examples, _open_packs_to_evaluate(recipe)


def open_composer(recipe: Recipe, split: Split) -> Composer:
    """Open the recordings of a split to compose soundscapes of.

    Noise and sounds without any label in which a label that is wanted may be heard teach, but
    measure nothing. Of others a soundscape says itself what may be heard in them (`unsaid`).

    Raises:
        ConfigError: if there are none with a label.
    """
    rows = [r for r in read_recordings(recipe.pack_set) if r.split == split]
    if split != "train":
        wanted = {
            n for n, one in enumerate(recipe.labels) if one in (recipe.wanted or recipe.labels)
        }
        rows = [r for r in rows if r.targets or not wanted & {*r.open}]
    folder = decoded_folder(recipe.loop.decoded)
    events, backgrounds, rooms = (
        AudioCache([r for r in rows if r.role == role], recipe.fbank_spec.sample_rate, folder)
        for role in ("events", "background", "room")
    )
    return Composer(events, backgrounds, rooms, recipe.soundscapes)


def _open_packs_to_evaluate(recipe: Recipe) -> ValidationSet:
    held_out = [
        r
        for r in read_recordings(recipe.pack_set)
        if r.split == "validation" and r.role == "events"
    ]
    folder = decoded_folder(recipe.loop.decoded)
    return ValidationSet(AudioCache(held_out, recipe.fbank_spec.sample_rate, folder), recipe)
