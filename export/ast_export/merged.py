"""What a bundle's graph computes: one model, or the mean of the members of an ensemble."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ast_edge.base.errors import BundleError, ConfigError
from ast_edge.engines.engine import Scores
from ast_edge.model.spec import same_steps
from ast_export.parity import split
from ast_training.model.checkpoint import Checkpoint, load_checkpoint
from ast_training.model.head import Head
from ast_training.model.network import Attention, AudioSpectrogramTransformer
from ast_training.model.token_merging import MergingTransformer, check_merging


class MergedModel(nn.Module):
    """Models that share their input and average their probabilities, written out for export.

    Every member normalises the fbank by its own statistics. Changes the models: attention becomes
    plain matrix products and a head one layer, which give the same values.
    """

    def __init__(
        self,
        models: Sequence[AudioSpectrogramTransformer],
        half: bool = False,
        merge_tokens: int = 0,
    ) -> None:
        """Take the members; `half` computes their encoders in float16.

        Normalisation, softmax, layer norms, head and activation stay in float32: the sums in them
        are where float16 loses most, and they cost next to nothing.

        With `merge_tokens` each block but the last merges so many (see `token_merging`), which
        gives other values.

        Raises:
            ConfigError: if the tokens of a member cannot be merged.
        """
        super().__init__()
        self.members = nn.ModuleList(models)
        self.frames = max(model.spec.frames for model in models)
        self.mel_bins = models[0].spec.mel_bins
        self.frame = same_steps([model.spec for model in models])
        """Whether there are frame scores."""
        for module in list(self.modules()):
            if isinstance(module, Attention):
                module.plain = True
            if isinstance(module, nn.Sequential) and isinstance(module[-1], Head):
                module[-1] = module[-1].joined()
        if half:
            for model in models:
                halve(model)
        if merge_tokens:
            for model in models:
                merge_in(model, merge_tokens)
        self.eval()

    def forward(self, fbank: Tensor) -> tuple[Tensor, ...]:
        """Map fbanks (batch, frames, mels) to probabilities (batch, labels).

        If all members score the same steps, those follow: (batch, steps, labels).
        """
        totals = member_probabilities(self.members[0], fbank, frame=self.frame)
        for member in self.members[1:]:
            each = member_probabilities(member, fbank, frame=self.frame)
            totals = tuple(total + one for total, one in zip(totals, each, strict=True))
        return tuple(total / len(self.members) for total in totals)


def member_probabilities(
    model: nn.Module, fbank: Tensor, *, frame: bool = False
) -> tuple[Tensor, ...]:
    """Map fbanks (batch, frames, mels) of a window that may be longer than the model's own.

    Then the model looks at the fewest evenly spaced windows that cover it. A sound counts where it
    is clearest: the highest probability, or with a softmax their mean, which sums to 1.

    Returns the clip's (batch, labels) and with `frame`, for which the window must be the model's
    own, those of the steps (batch, steps, labels).
    """
    assert isinstance(model, AudioSpectrogramTransformer)
    if frame:  # which goes with a sigmoid only
        clip, steps = model.forward_both(fbank)
        return clip.sigmoid(), steps.sigmoid()
    frames = model.spec.frames
    starts = covering(fbank.shape[1], frames)
    if len(starts) == 1:
        return (model.probabilities(fbank),)
    windows = torch.stack([fbank[:, start : start + frames] for start in starts])
    each = model.probabilities(windows.flatten(0, 1)).view(len(starts), -1, model.spec.labels)
    return (each.mean(dim=0) if model.spec.activation == "softmax" else each.amax(dim=0),)


def merge_in(model: AudioSpectrogramTransformer, count: int) -> None:
    """Let each block of a model but the last merge so many of its tokens.

    Raises:
        ConfigError: if they cannot be merged.
    """
    check_merging(model.spec, count)
    model.register_module("v", MergingTransformer(model.v, count))


@torch.inference_mode()
def pytorch_scores(
    members: Sequence[Checkpoint], windows: NDArray[np.float32], merge_tokens: int = 0
) -> Scores:
    """Return what the members say on average of windows (n, frames, mels).

    Computed member by member in float32, so that no two are in memory as models at once, and with
    PyTorch's own attention unless tokens are merged.
    """
    frame = same_steps([member.model for member in members])
    totals: list[NDArray[np.float32]] = []
    for member in members:
        model = member.build(share=True)
        if merge_tokens:
            merge_in(model, merge_tokens)
        batches = [
            member_probabilities(model, torch.from_numpy(batch), frame=frame)
            for batch in split(windows)
        ]
        outputs = [torch.cat(parts).numpy() for parts in zip(*batches, strict=True)]
        totals = [a + b for a, b in zip(totals, outputs, strict=True)] if totals else outputs
    return Scores(*(total / np.float32(len(members)) for total in totals))


def covering(frames: int, window: int) -> list[int]:
    """Return where the fewest evenly spaced windows start that cover all frames."""
    count = -(-frames // window)
    return [round(i * (frames - window) / max(1, count - 1)) for i in range(count)]


def halve(model: AudioSpectrogramTransformer) -> None:
    """Make the encoder compute in float16, its layer norms in float32."""
    model.v.half()
    for name, module in list(model.v.named_modules()):
        if isinstance(module, nn.LayerNorm):
            parent = model.v.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], Float32LayerNorm(module))


class Float32LayerNorm(nn.Module):
    """A layer norm that reads and writes float16 and computes in float32."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        """Take the norm to wrap."""
        super().__init__()
        self.norm = norm.float()

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (..., width)."""
        out: Tensor = self.norm(x.float()).to(x.dtype)
        return out


def load_members(paths: Sequence[Path]) -> list[Checkpoint]:
    """Read the checkpoints of an ensemble.

    Raises:
        BundleError: if one is damaged, or differs from the first in labels, front end or
            activation: then it answers another question, or hears another input.
    """
    members = [load_checkpoint(path) for path in paths]
    first = members[0]
    for member, path in zip(members[1:], paths[1:], strict=True):
        for what, one, other in (
            ("other labels", _names(first), _names(member)),
            ("another front end", first.fbank, member.fbank),
            ("another activation", first.model.activation, member.model.activation),
        ):
            if one != other:
                raise BundleError(
                    f"{path}: has {what} than {paths[0]} ({_difference(one, other)}): the "
                    "members of an ensemble must agree in it"
                )
    return members


def with_curve(checkpoint: Checkpoint) -> Checkpoint:
    """Give a model without a frame head one that costs no training: its clip's head once more.

    The clip's head then reads, in every step, the mean of the step's patches. It has never seen
    patches alone, so the curve shows where a sound is, and is no probability that one can rely on.

    Raises:
        ConfigError: if the model has a frame head, or decides between its labels by a softmax.
    """
    if checkpoint.model.frame_head:
        raise ConfigError("--frame-curve is for models without a frame head; this one has one")
    if checkpoint.model.activation != "sigmoid":
        raise ConfigError(
            "--frame-curve needs a model with a sigmoid: with a softmax one label always sounds"
        )
    head = {
        name.replace("mlp_head", "frame_head"): weights
        for name, weights in checkpoint.weights.items()
        if name.startswith("mlp_head.")
    }
    return replace(
        checkpoint,
        model=replace(checkpoint.model, frame_head=True),
        weights=checkpoint.weights | head,
    )


def _names(checkpoint: Checkpoint) -> list[str]:
    return [label.name for label in checkpoint.labels]


def _difference(one: object, other: object) -> str:
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{len(other)} instead of {len(one)}"
        pairs = zip(one, other, strict=True)
        number, (a, b) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        return f"number {number} is {b!r} instead of {a!r}"
    return f"{other} instead of {one}"
