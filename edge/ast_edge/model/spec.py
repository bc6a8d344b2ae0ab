"""What defines a network: shared by training, export and the edge, and stored in every artefact."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Activation = Literal["sigmoid", "softmax"]

SIZES: dict[str, tuple[int, int, int]] = {  # width, depth, heads
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
}


@dataclass(frozen=True)
class ModelSpec:
    """Shape of one AST and the normalisation of its input (Gong et al. 2021, section 2)."""

    labels: int
    """Number of outputs."""
    frames: int = 1024
    """Input length in fbank frames: 1024 is 10.24 s, the window of AudioSet models."""
    mel_bins: int = 128
    width: int = 768
    depth: int = 12
    heads: int = 12
    patch: tuple[int, int] = (16, 16)
    """Patch size (mel bins, frames)."""
    stride: tuple[int, int] = (10, 10)
    """Patch stride (mel bins, frames); smaller than the patch means overlap."""
    mean: float = -4.2677393
    """Mean of the training set's fbanks, subtracted inside the graph; AudioSet's by default."""
    std: float = 4.5689974
    """Their standard deviation; inputs are divided by twice this, as AST does."""
    activation: Activation = "sigmoid"
    """What turns logits into probabilities: sigmoid for several labels at once, softmax for one."""
    frame_head: bool = False
    """Scores every step of the window as well, not only the window as a whole."""
    stem: int = 0
    """Channels of a MobileNet of EfficientAT whose features are added to the patches; 0 is AST."""
    yamnet: bool = False
    """Adds YAMNet's features as well."""

    def __post_init__(self) -> None:
        counts = (self.labels, self.frames, self.mel_bins, self.width, self.depth, self.heads)
        if min(*counts, *self.patch, *self.stride) < 1:
            raise ValueError(f"all sizes must be positive: {self}")
        if self.stem < 0:
            raise ValueError(f"stem must be a number of channels or 0, got {self.stem}")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of {self.heads} heads")
        if min(self.grid) < 1:
            raise ValueError(
                f"an input of {self.mel_bins} mel bins and {self.frames} frames holds no patch of "
                f"{self.patch[0]} by {self.patch[1]}"
            )
        if self.activation not in ("sigmoid", "softmax"):
            raise ValueError(f"activation must be sigmoid or softmax, got {self.activation!r}")
        if not self.std > 0:  # NaN included
            raise ValueError(f"std must be positive, got {self.std}")
        if self.frame_head and self.activation != "sigmoid":
            raise ValueError("a frame head needs sigmoid: a step may hold several sounds, or none")

    def described(self) -> dict[str, Any]:
        """Return what `bundle.json` says of it: a stem only if there is one."""
        return {k: v for k, v in asdict(self).items() if k not in ("stem", "yamnet") or v}

    @property
    def grid(self) -> tuple[int, int]:
        """Number of patches (along frequency, along time)."""
        return (
            (self.mel_bins - self.patch[0]) // self.stride[0] + 1,
            (self.frames - self.patch[1]) // self.stride[1] + 1,
        )

    @property
    def steps(self) -> int:
        """Number of scores in time that a frame head gives: columns of the grid."""
        return self.grid[1]

    @property
    def time_grid(self) -> tuple[int, int, int]:
        """Length of the window, of a patch and of the time from one step to the next, in frames.

        Step i looks first of all at the frames from i * stride to i * stride + patch.
        """
        return self.frames, self.patch[1], self.stride[1]

    @property
    def tokens(self) -> int:
        """Length of the sequence: all patches and the two special tokens."""
        return self.grid[0] * self.grid[1] + 2


def same_steps(members: Sequence[ModelSpec]) -> bool:
    """Tell whether all members score the same steps, so that their frame scores can be averaged."""
    return all(member.frame_head for member in members) and (
        len({member.time_grid for member in members}) == 1
    )
