"""Weight averaging: one model out of the weights of several epochs (paper, section 3.1)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ast_edge.base.errors import BundleError, ConfigError
from ast_training.model.checkpoint import Checkpoint, load_checkpoint
from ast_training.run.folder import RunFolder


def average_epochs(run: RunFolder, first: int, last: int) -> Checkpoint:
    """Average the weights that a run has kept of its epochs `first` to `last`, both included.

    Raises:
        ConfigError: if the run has not kept them all.
        BundleError: if one of them is damaged.
    """
    kept = run.epochs()
    missing = [epoch for epoch in range(first, last + 1) if epoch not in kept]
    if missing or first > last:
        have = f"{min(kept)} to {max(kept)}" if kept else "none"
        raise ConfigError(
            f"{run.path}: expected the weights of the epochs {first} to {last}, has {have}: "
            "the recipe's `average` says which epochs a run keeps"
        )
    return average_checkpoints([kept[epoch] for epoch in range(first, last + 1)])


def average_checkpoints(paths: Sequence[Path]) -> Checkpoint:
    """Average the weights of checkpoints: the arithmetic mean of every tensor.

    Only one of them is in memory at a time. The result is like the last but for its weights; it has
    no metrics, for nothing has measured it yet.

    Raises:
        BundleError: if one is damaged, or of another model or other labels than the first.
    """
    last = load_checkpoint(paths[0])
    made_of = (last.model, last.fbank, last.labels)
    sums = {name: tensor.double() for name, tensor in last.weights.items()}
    for path in paths[1:]:
        last = load_checkpoint(path)
        if (last.model, last.fbank, last.labels) != made_of:
            raise BundleError(
                f"{path}: is of another model, front end or other labels than {paths[0]}: "
                "only weights of one recipe can be averaged"
            )
        for name, tensor in last.weights.items():
            sums[name] += tensor
    mean = {
        name: (sums[name] / len(paths)).to(tensor.dtype) for name, tensor in last.weights.items()
    }
    said = {"averaged": _said(paths)}
    return replace(last, weights=mean, metrics={}, state={}, provenance=last.provenance | said)


def is_average_of(path: Path, first: int, last: int) -> bool:
    """Tell whether a checkpoint is there and is the average of these epochs of its run.

    Raises:
        BundleError: if it is damaged.
    """
    run = RunFolder(path.parent)
    wanted = _said([run.epoch(number) for number in range(first, last + 1)])
    return path.exists() and load_checkpoint(path).provenance.get("averaged") == wanted


def _said(paths: Sequence[Path]) -> str:
    return f"{len(paths)} checkpoints, {paths[0].name} to {paths[-1].name}"
