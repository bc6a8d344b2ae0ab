"""The seed that the examples and the random choices of a run come of."""

import hashlib
from pathlib import Path

from ast_edge.base.errors import BundleError
from ast_edge.base.files import file_sha256
from ast_training.model.checkpoint import Checkpoint
from ast_training.recipe.recipe import Recipe

KEY = "seed"
"""Of the seed in the state of a run, where it is not the recipe's."""


def run_seed(recipe: Recipe, last: Checkpoint | None) -> int:
    """Return the seed of a run that begins, or of one that goes on from its last checkpoint.

    A run that starts from other weights has a seed of the recipe's and theirs: a second stage with
    the same recipe gets other examples than the first. Resuming it does not need their file.

    Raises:
        BundleError: if the weights to start from cannot be read.
    """
    if last is not None:
        return int(last.state[KEY]) if KEY in last.state else recipe.seed
    if recipe.init is None or recipe.init.source is None:
        return recipe.seed
    try:
        weights = _sha256(recipe.init.source)
    except OSError as exc:
        raise BundleError(f"{recipe.init.source}: cannot be read: {exc.strerror}") from exc
    both = hashlib.sha256(f"{recipe.seed} {weights}".encode()).digest()
    return int.from_bytes(both[:8], "big") >> 1  # a tensor holds 63 bits


def _sha256(source: Path) -> str:
    """Hash a file, or all files of a folder."""
    if not source.is_dir():
        return file_sha256(source)
    files = sorted(path for path in source.rglob("*") if path.is_file())
    return " ".join(file_sha256(path) for path in files)
