"""Heads to begin with: what a stem's networks call a label, moved by what the recordings say.

Networks that know 527 sounds call them by AudioSet's names, which are not always what a home means.
A logistic regression on what the heads read learns that from some thousand soundscapes, where it is
held to the networks' own output layers: where recordings are few, their names are the better guess.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ast_edge.frontend.fbank import LOG_FLOOR, fbank
from ast_training.data.audio_cache import AudioCache, decoded_folder
from ast_training.data.labels import label_table
from ast_training.data.recordings import Recording, read_recordings
from ast_training.model.head import Head, HeadNorm
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.recipe.recipe import InitConfig, Recipe
from ast_training.run.training_data import open_composer
from ast_training.soundscapes.examples import SoundscapeExamples
from ast_training.weights.efficientat import efficientat_output
from ast_training.weights.yamnet import yamnet_labels, yamnet_weights

WINDOWS = 3
"""Of a recording that are read: the first, one behind the other."""
ALIKE = 150
"""Recordings of a pack with the same labels that are read; thousands say nothing more."""
STEPS = 4
"""Of a soundscape that are read, at random: those beside each other say the same."""
FEWEST = 2.0
"""Windows with a label that it needs; others keep what the networks call them."""
BATCH = 16
ITERATIONS = 60

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Read:
    """What a head reads of sounds, before its norm, and what is to be learnt of them."""

    tokens: Tensor
    """(sounds, width + told)."""
    targets: Tensor
    """(sounds, labels)."""
    weights: Tensor
    """How much each says of each label (sounds, labels); 0 if it is not known."""


def fit_heads(model: AudioSpectrogramTransformer, recipe: Recipe, init: InitConfig) -> None:
    """Fit both heads of a model with a stem to the recordings for training and to soundscapes.

    Each is the mean of two: one fitted to recordings as they are, which know few other sounds, and
    one to soundscapes (that of the window) or steps of them, in which few recordings are clear.

    Raises:
        ConfigError: if a recording's table cannot be read.
        BundleError: if the networks' output layers cannot be read.
    """
    given = init.heads
    assert given is not None
    training = model.training
    model.eval()
    rows = _few_alike([r for r in read_recordings(recipe.pack_set) if _trains(r)], recipe.seed)
    cache = AudioCache(rows, recipe.fbank_spec.sample_rate, decoded_folder(recipe.loop.decoded))
    log.info("fitting heads to %d recordings and %d soundscapes", len(cache), given.examples)
    alone = _of_recordings(model, cache, recipe)
    clip, steps = [alone], [alone]
    if given.examples:
        composed, moments = _of_soundscapes(model, recipe, given.examples)
        clip.append(composed)
        steps.append(moments)
    published = _published(init, list(recipe.labels))
    _fit(model.mlp_head, clip, recipe, published, given.pull)
    if model.spec.frame_head:
        _fit(model.frame_head, steps, recipe, published, given.pull)
    model.train(training)


def _fit(
    layers: nn.Sequential,
    sets: Sequence[_Read],
    recipe: Recipe,
    published: tuple[Tensor, Tensor],
    pull: float,
) -> None:
    norm, layer = layers
    assert isinstance(norm, HeadNorm)
    assert isinstance(layer, Head)
    told = torch.cat([read.tokens[:, norm.width :] for read in sets])
    norm.told_mean.copy_(told.mean(0))
    norm.told_std.copy_(told.std(0).clamp(min=1e-4))
    weight, bias = published
    bias = bias + weight @ norm.told_mean
    weight = F.pad(weight * norm.told_std, (norm.width, 0))
    each = [_fitted(norm, read, recipe, (weight, bias), pull) for read in sets]
    weight, bias = (torch.stack(part).mean(0) for part in zip(*each, strict=True))
    with torch.no_grad():
        layer.weight.copy_(weight[:, : norm.width])
        layer.told.copy_(weight[:, norm.width :])
        layer.bias.copy_(bias)


def _fitted(
    norm: HeadNorm, read: _Read, recipe: Recipe, start: tuple[Tensor, Tensor], pull: float
) -> tuple[Tensor, Tensor]:
    """Return weights and biases; of labels that are not wanted or hardly heard those given."""
    weight, bias = (part.clone() for part in start)
    have = (read.targets * read.weights).sum(0)
    lack = ((1 - read.targets) * read.weights).sum(0)
    fitted = [
        column
        for column, name in enumerate(recipe.labels)
        if not recipe.wanted or name in recipe.wanted
        if min(have[column], lack[column]) >= FEWEST
    ]
    with torch.inference_mode():
        x = torch.cat([norm(part) for part in torch.split(read.tokens, 1024)])
    weight[fitted], bias[fitted] = fit_towards(
        x.clone(), read.targets[:, fitted], read.weights[:, fitted], weight[fitted], pull
    )
    return weight, bias


def fit_towards(
    x: Tensor, targets: Tensor, weights: Tensor, start: Tensor, pull: float
) -> tuple[Tensor, Tensor]:
    """Fit one logistic regression per label whose weights are held to others.

    What has a label counts as much as what has not; the bias then is that of what is as frequent
    as it was.

    Args:
        x: (examples, numbers), standardised.
        targets: 0 or 1 (examples, labels).
        weights: of each example for each label (examples, labels); 0 if it is not known.
        start: what the weights are held to (labels, numbers).
        pull: times the squared distance from there is added to the loss.

    Returns:
        Weights (labels, numbers) and biases (labels,).
    """
    have, lack = (weights * targets).sum(0), (weights * (1 - targets)).sum(0)
    evened = weights * (targets * (0.5 / have) + (1 - targets) * (0.5 / lack))
    weight, bias = start.clone().requires_grad_(), torch.zeros(len(start), requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=ITERATIONS, history_size=10, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        each = F.binary_cross_entropy_with_logits(x @ weight.T + bias, targets, reduction="none")
        total = (evened * each).sum() + pull * (weight - start).square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach() + torch.log(have / lack)


def _trains(row: Recording) -> bool:
    return row.split == "train" and row.role == "events" and bool(row.targets)


def _few_alike(rows: Sequence[Recording], seed: int) -> list[Recording]:
    """Leave out what a pack has by the thousand."""
    kinds: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for number in np.random.default_rng(seed).permutation(len(rows)).tolist():
        kinds.setdefault((rows[number].pack, rows[number].targets), []).append(number)
    kept = sorted(number for numbers in kinds.values() for number in numbers[:ALIKE])
    return [rows[number] for number in kept]


@torch.inference_mode()
def _of_recordings(model: AudioSpectrogramTransformer, cache: AudioCache, recipe: Recipe) -> _Read:
    tokens, owners = [], []
    for number in range(len(cache)):
        sound = fbank(cache.samples(number), recipe.fbank_spec)
        windows = torch.from_numpy(_windows(sound, model.spec.frames))
        tokens.append(_special(model.tokens(windows)[0]))
        owners += [number] * len(windows)
    owner = torch.tensor(owners)
    targets, known = _targets(cache.recordings, model.spec.labels)
    share = (1 / torch.bincount(owner)[owner])[:, None]
    return _Read(torch.cat(tokens).clone(), targets[owner], share * known[owner])


@torch.inference_mode()
def _of_soundscapes(
    model: AudioSpectrogramTransformer, recipe: Recipe, count: int
) -> tuple[_Read, _Read]:
    """Read windows, and steps of them, of soundscapes as the training composes them."""
    composer = open_composer(recipe, "train")
    examples = SoundscapeExamples(composer, model.spec, recipe.fbank_spec, recipe.seed)
    rng, parts = np.random.default_rng(recipe.seed), []
    for first in range(0, count, BATCH):
        made = examples.batch(0, range(first, min(first + BATCH, count)))
        tokens, _ = model.tokens(torch.from_numpy(np.stack([one.features for one in made])))
        steps = [rng.integers(0, len(one.frame), STEPS if len(one.frame) else 0) for one in made]
        parts.append(
            (
                _special(tokens),
                np.stack([one.clip for one in made]),
                torch.cat([row[2 + some] for row, some in zip(tokens, steps, strict=True)]),
                np.concatenate([one.frame[some] for one, some in zip(made, steps, strict=True)]),
            )
        )
    clip, clip_targets, frame, frame_targets = zip(*parts, strict=True)
    return (
        _read(torch.cat(clip), np.concatenate(clip_targets)),
        _read(torch.cat(frame), np.concatenate(frame_targets)),
    )


def _read(tokens: Tensor, targets: NDArray[np.float32]) -> _Read:
    known = torch.from_numpy(np.isfinite(targets)).float()
    return _Read(tokens.clone(), torch.from_numpy(np.nan_to_num(targets)), known)


def _special(tokens: Tensor) -> Tensor:
    return tokens[:, :2].mean(dim=1)


def _windows(sound: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Cut a sound's fbank into windows; half a window at the end is none, unless it is all."""
    count = min(WINDOWS, max(1, round(len(sound) / frames)))
    missing = max(0, count * frames - len(sound))
    padded = np.pad(sound, ((0, missing), (0, 0)), constant_values=LOG_FLOOR)
    return padded[: count * frames].reshape(count, frames, -1).astype(np.float32)


def _targets(rows: Sequence[Recording], labels: int) -> tuple[Tensor, Tensor]:
    """Return what sounds in recordings and what is known of it (recordings, labels)."""
    targets, known = torch.zeros(len(rows), labels), torch.ones(len(rows), labels)
    for number, row in enumerate(rows):
        known[number, list(row.open)] = 0
        targets[number, list(row.targets)] = 1
        known[number, list(row.targets)] = 1
    return targets, known


def _published(init: InitConfig, names: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Put the networks' own output layers side by side: weights (labels, told), biases (labels,).

    Where several know a label, the mean of their logits.
    """
    layers = []
    if init.stem:
        known = tuple(label.name for label in label_table("audioset"))
        layers.append((*efficientat_output(init.stem), known))
    if init.yamnet:
        layers.append((*yamnet_weights(init.yamnet)[1], yamnet_labels(init.yamnet)))
    parts, bias = [], torch.zeros(len(names))
    count = torch.tensor([sum(name in known for *_, known in layers) for name in names])
    for weight, offset, known in layers:
        place = {name: row for row, name in enumerate(known)}
        part = torch.zeros(len(names), weight.shape[1])
        for row, name in enumerate(names):
            if name in place:
                part[row] = weight[place[name]] / count[row]
                bias[row] += offset[place[name]] / count[row]
        parts.append(part)
    return torch.cat(parts, dim=1), bias
