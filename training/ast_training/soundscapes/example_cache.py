"""Composed examples on disk, for the epochs that see them again."""

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_training.base.atomic_file import atomic_file

Array = NDArray[np.float32]


class ExampleCache:
    """Arrays of every example as float16, in a folder for each round of composing.

    Features keep to 0.008 in it, which is less than a microphone's noise does to them. Processes
    may share a folder: a file is whole or not there.
    """

    def __init__(self, folder: Path) -> None:
        """Take a folder that may be deleted at any time: what is missing is composed again."""
        self.folder = folder

    def load(self, made_in: int, number: int, shapes: list[tuple[int, ...]]) -> list[Array] | None:
        """Read the arrays of an example; None if it is not here, or of other shapes.

        The last one may have -1 of something.
        """
        try:
            flat = np.load(self._path(made_in, number)).astype(np.float32)
        except (OSError, ValueError, EOFError):
            return None
        *ends, _ = np.cumsum([int(np.prod(shape)) for shape in shapes]).tolist()
        parts = np.split(flat, ends)
        try:
            return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        except ValueError:
            return None

    def save(self, made_in: int, number: int, arrays: list[Array]) -> None:
        """Keep the arrays of an example.

        Raises:
            TrainingError: if the disk is full.
        """
        path = self._path(made_in, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        flat = np.concatenate([array.ravel() for array in arrays]).astype(np.float16)
        with atomic_file(path) as partial, partial.open("wb") as file:
            np.save(file, flat)

    def forget(self, before: int) -> None:
        """Delete what was made in the rounds before that one."""
        for folder in self.folder.glob("[0-9]*"):
            if int(folder.name) < before:
                shutil.rmtree(folder, ignore_errors=True)  # another process may have been first

    def _path(self, made_in: int, number: int) -> Path:
        return self.folder / f"{made_in:05d}" / f"{number:06d}.npy"
