"""What heads read of a stem: what its networks call a label, moved by what the recordings say.

Networks that know 527 sounds call them by AudioSet's names, which are not always what a home means.
A logistic regression on their features learns that from a hundred recordings, where it is held to
the networks' own output layers: where recordings are few, their names are the better guess.
"""

import logging
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ast_edge.frontend.fbank import LOG_FLOOR, fbank
from ast_training.data.audio_cache import AudioCache, decoded_folder
from ast_training.data.labels import label_table
from ast_training.data.recordings import Recording, read_recordings
from ast_training.model.head import Head, HeadNorm
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.recipe.recipe import InitConfig, Recipe
from ast_training.weights.efficientat import efficientat_output
from ast_training.weights.yamnet import yamnet_labels, yamnet_weights

WINDOWS = 3
"""Of a recording that are read: the first, one behind the other."""
ALIKE = 150
"""Recordings of a pack with the same labels that are read; thousands say nothing more."""
FEWEST = 2
"""Recordings that a label needs; others keep what the networks call them."""
ITERATIONS = 60

log = logging.getLogger(__name__)


def fit_told_heads(model: AudioSpectrogramTransformer, recipe: Recipe, init: InitConfig) -> None:
    """Fit what both heads read of the stem to the recordings for training; tokens say nothing yet.

    Raises:
        ConfigError: if a recording's table cannot be read.
        BundleError: if the networks' output layers cannot be read.
    """
    rows = _few_alike([r for r in read_recordings(recipe.pack_set) if _trains(r)], recipe.seed)
    cache = AudioCache(rows, recipe.fbank_spec.sample_rate, decoded_folder(recipe.loop.decoded))
    log.info("reading %d recordings for the heads", len(cache))
    told, owners = _told(model, cache, recipe)
    mean, std = told.mean(0), told.std(0).clamp(min=1e-6)
    names = [*recipe.labels]
    weight, bias = _published(init, names)
    bias, weight = bias + weight @ mean, weight * std
    targets, known = _targets(cache.recordings, len(names))
    fitted = [
        column
        for column, name in enumerate(names)
        if (not recipe.wanted or name in recipe.wanted) and targets[:, column].sum() >= FEWEST
    ]
    share = 1 / torch.bincount(owners)[owners]
    weight[fitted], bias[fitted] = fit_towards(
        (told - mean) / std,
        targets[owners][:, fitted],
        share[:, None] * known[owners][:, fitted],
        weight[fitted],
        init.pull or 0.0,
    )
    for name in ("mlp_head", "frame_head"):
        if (layers := getattr(model, name, None)) is not None:
            _set(layers, mean, std, weight, bias)


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
def _told(
    model: AudioSpectrogramTransformer, cache: AudioCache, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """Return what the stem tells of windows (windows, told), and whose these are (windows,)."""
    stem, spec = model.v.stem, model.spec
    assert stem is not None
    told, owners = [], []
    for number in range(len(cache)):
        sound = fbank(cache.samples(number), recipe.fbank_spec)
        windows = torch.from_numpy(_windows(sound, spec.frames))
        told.append(stem((windows - spec.mean) / (2 * spec.std)).told[:, 0])
        owners += [number] * len(windows)
    return torch.cat(told).clone(), torch.tensor(owners)


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


def _set(layers: torch.nn.Module, mean: Tensor, std: Tensor, weight: Tensor, bias: Tensor) -> None:
    norm, layer = layers.get_submodule("0"), layers.get_submodule("1")
    assert isinstance(norm, HeadNorm)
    assert isinstance(layer, Head)
    with torch.no_grad():
        norm.told_mean.copy_(mean)
        norm.told_std.copy_(std)
        layer.told.copy_(weight)
        layer.bias.copy_(bias)
        layer.weight.zero_()
