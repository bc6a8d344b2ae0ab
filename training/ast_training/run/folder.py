"""The folder of a run: what lies where in it."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """Names the files of a run."""

    path: Path

    @property
    def last(self) -> Path:
        """The newest checkpoint, with all that resuming needs."""
        return self.path / "last.safetensors"

    @property
    def best(self) -> Path:
        """The checkpoint with the best evaluation so far."""
        return self.path / "best.safetensors"

    @property
    def average(self) -> Path:
        """The average of the weights of several epochs."""
        return self.path / "average.safetensors"

    @property
    def examples(self) -> Path:
        """Composed examples that are seen again; may be deleted."""
        return self.path / "examples"

    @property
    def metrics(self) -> Path:
        """A row of figures per epoch."""
        return self.path / "metrics.csv"

    @property
    def curves(self) -> Path:
        """TensorBoard's folder."""
        return self.path / "tensorboard"

    def epoch(self, number: int) -> Path:
        """The weights after an epoch (from 1)."""
        return self.path / f"epoch-{number:03d}.safetensors"

    def epochs(self) -> dict[int, Path]:
        """Find the epochs whose weights are kept."""
        found = sorted(self.path.glob("epoch-*.safetensors"))
        numbers = {path: re.fullmatch(r"epoch-([0-9]+)\.safetensors", path.name) for path in found}
        return {int(match[1]): path for path, match in numbers.items() if match}
