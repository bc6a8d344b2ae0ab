"""The processes of a training run: one, or many started by torchrun."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist

Item = TypeVar("Item")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together."""

    device: torch.device
    rank: int = 0
    world: int = 1
    """Number of processes."""

    @property
    def main(self) -> bool:
        """The one process that writes files and talks to the terminal."""
        return self.rank == 0

    def gather(self, values: Sequence[Item]) -> list[Item]:
        """Interleave the values of all processes: process r holds items r, r + world, …"""
        if self.world == 1:
            return list(values)
        parts: list[Sequence[Item]] = [[] for _ in range(self.world)]
        dist.all_gather_object(parts, list(values))
        longest = max(len(part) for part in parts)
        return [part[i] for i in range(longest) for part in parts if i < len(part)]

    def sum(self, value: torch.Tensor) -> torch.Tensor:
        """Add up a tensor over all processes."""
        if self.world > 1:
            dist.all_reduce(value)
        return value

    def wait(self) -> None:
        """Let all processes come here before one goes on."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def join_processes() -> Iterator[Processes]:
    """Join the processes that torchrun has started, or be the only one; may be nested."""
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else "cpu"
    if cuda:
        torch.cuda.set_device(device)
    joins = world > 1 and not dist.is_initialized()
    if joins:
        dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Processes(torch.device(device), rank, world)
    finally:
        if joins:
            dist.destroy_process_group()
