"""Training examples, each a function of the seed, the epoch and its position in the epoch alone.

So an epoch is the same however many processes prepare it, and after a restart in the middle.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ast_edge.base.errors import AstError

NO_HINT = np.zeros((0, 0), np.float32)


class Example(NamedTuple):
    """A window of sound and what is to be heard in it."""

    features: NDArray[np.float32]
    """Fbank (frames, mel_bins)."""
    clip: NDArray[np.float32]
    """Targets of the window (labels,)."""
    frame: NDArray[np.float32]
    """Targets of every step (steps, labels); without a frame head there are none."""
    hint: NDArray[np.float32] = NO_HINT
    """What a teacher makes of it and of each moment in it (1 + moments, features)."""


class Batch(NamedTuple):
    """Examples stacked: (n, frames, mels), (n, labels), (n, steps, labels), (n, …, features)."""

    features: Tensor
    clip: Tensor
    frame: Tensor
    hint: Tensor


class Examples(Protocol):
    """What an epoch is made of."""

    def __len__(self) -> int:
        """Return the number of examples in an epoch."""
        ...

    def batch(self, epoch: int, positions: Sequence[int]) -> list[Example]:
        """Make examples, each always the same for the same epoch and position."""
        ...


def weakly_labelled(features: NDArray[np.float32], clip: NDArray[np.float32]) -> Example:
    """Make an example that tells what is heard, but not when."""
    return Example(features, clip, np.zeros((0, len(clip)), np.float32))


class _Epoch(Dataset[Batch | AstError]):
    """The examples of one epoch; its items are whole batches, or why there is none."""

    def __init__(self, examples: Examples, epoch: int) -> None:
        self.examples, self.epoch = examples, epoch

    def __getitem__(self, positions: Sequence[int]) -> Batch | AstError:
        try:
            drawn = self.examples.batch(self.epoch, positions)
        except AstError as exc:  # raised in a worker, it would arrive with a traceback in its text
            return exc
        return Batch(*(torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True)))


def batches(
    examples: Examples, epoch: int, positions: Sequence[Sequence[int]], workers: int
) -> Iterator[Batch]:
    """Yield a batch for each list of positions, in order.

    Raises:
        AudioError: if a clip cannot be read.
    """
    loader = DataLoader(
        _Epoch(examples, epoch),
        batch_size=None,
        sampler=positions,
        num_workers=workers,
        worker_init_fn=_one_thread,
        pin_memory=torch.cuda.is_available(),
        prefetch_factor=2 if workers else None,
    )
    for batch in loader:
        if isinstance(batch, AstError):
            raise batch
        yield batch


def _one_thread(worker: int) -> None:
    # PyTorch limits its own threads in a worker, but not those of NumPy's linear algebra.
    threadpool_limits(1)
