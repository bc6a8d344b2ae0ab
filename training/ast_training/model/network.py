"""The Audio Spectrogram Transformer, complete (Gong, Chung, Glass: AST, Interspeech 2021).

A spectrogram is cut into patches like a picture, each patch becomes a token, and a Vision
Transformer (DeiT: two special tokens, pre-norm blocks) reads them. Parameter names follow the
official repository (`v.blocks.0.attn.qkv.weight`, `mlp_head.1.bias`), so that its checkpoints load
as they are.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ast_edge.model.spec import ModelSpec
from ast_training.model.head import head
from ast_training.model.stem import Stem


@dataclass(frozen=True)
class TrainingOptions:
    """What a network does in training only; all off as in the paper."""

    drop_path: float = 0.0
    """Stochastic depth of the last block."""
    patchout: tuple[int, int] = (0, 0)
    """Rows (frequency) and columns (time) of the patch grid that each step leaves out."""
    activation_checkpointing: bool = False
    """Compute each block a second time in the backward pass instead of keeping its activations."""


class Attention(nn.Module):
    """Multi-head self-attention with one fused projection for query, key and value."""

    def __init__(self, width: int, heads: int) -> None:
        """Make the projections; the rows of `qkv` are all queries, then all keys, then values."""
        super().__init__()
        self.heads = heads
        self.plain = False
        """Write attention out as matrix products: exports to half as many layers as SDPA."""
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, first: int | None = None) -> Tensor:
        """Map (batch, tokens, width) to the attention of all tokens, or of the `first` few."""
        q, k, v = self.parted(x, first)
        if self.plain:
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
            mixed = scores.float().softmax(dim=-1).to(v.dtype) @ v
        elif q.device.type == "cpu" and q.dtype == torch.bfloat16:
            # The fused kernel takes three to five times as long here. The softmax computes in
            # float32 inside; only what it reads and writes is bfloat16.
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
            mixed = scores.softmax(dim=-1) @ v
        else:
            mixed = F.scaled_dot_product_attention(q, k, v)
        return self.joined(mixed)

    def parted(self, x: Tensor, first: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries (of the `first` few), keys and values (batch, heads, tokens, width)."""
        batch, tokens, width = x.shape
        if first is None:
            qkv = self.qkv(x).view(batch, tokens, 3, self.heads, -1)
            q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (batch, heads, tokens, head width)
            return q, k, v
        weight, bias = self.qkv.weight, self.qkv.bias
        q = F.linear(x[:, :first], weight[:width], bias[:width])
        q = q.view(batch, first, self.heads, -1).transpose(1, 2)
        kv = F.linear(x, weight[width:], bias[width:]).view(batch, tokens, 2, self.heads, -1)
        k, v = kv.permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v

    def joined(self, mixed: Tensor) -> Tensor:
        """Map what the heads have mixed (batch, heads, tokens, head width) to tokens."""
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out


class Mlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, width: int) -> None:
        """Make the layers, four times as wide in the middle."""
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, width) to the same shape."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class Block(nn.Module):
    """One pre-norm Transformer block, with stochastic depth (0 in the paper)."""

    def __init__(self, width: int, heads: int, drop_path: float = 0.0) -> None:
        """Make the block; `drop_path` is the probability that a sample skips a branch."""
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)
        self.drop_path = drop_path

    def forward(self, x: Tensor, first: int | None = None) -> Tensor:
        """Map (batch, tokens, width) to the same shape, or to the `first` few tokens alone."""
        x = x[:, :first] + self._dropped(self.attn(self.norm1(x), first))
        return x + self._dropped(self.mlp(self.norm2(x)))

    def _dropped(self, branch: Tensor) -> Tensor:
        if not self.training or self.drop_path == 0:
            return branch
        keep = 1 - self.drop_path
        return branch * branch.new_empty(len(branch), 1, 1).bernoulli_(keep).div_(keep)


class PatchEmbed(nn.Module):
    """Cut the spectrogram into patches and project each to a token."""

    def __init__(self, spec: ModelSpec) -> None:
        """Make the projection, a convolution with the patch as its kernel."""
        super().__init__()
        self.proj = nn.Conv2d(1, spec.width, spec.patch, spec.stride)

    def forward(self, fbank: Tensor) -> Tensor:
        """Map (batch, frames, mels) to (batch, patches, width), frequency-major.

        The token of frequency row f and time column t is number f * columns + t.
        """
        image = fbank.transpose(1, 2).unsqueeze(1)  # (batch, 1, mels, frames)
        if (
            self.training
            and image.device.type == "cpu"
            and self.proj.stride == self.proj.kernel_size
        ):
            # The same sums as one matrix product: in bfloat16 the convolution of one channel took
            # five times as long on a CPU as all the rest of a training step.
            return F.linear(self._cut(image), self.proj.weight.flatten(1), self.proj.bias)
        tokens: Tensor = self.proj(image).flatten(2).transpose(1, 2)
        return tokens

    def _cut(self, image: Tensor) -> Tensor:
        """Cut (batch, 1, mels, frames) into patches side by side (batch, patches, numbers)."""
        height, width = self.proj.kernel_size
        rows, columns = image.shape[2] // height, image.shape[3] // width
        whole = image[:, 0, : rows * height, : columns * width]
        grid = whole.reshape(len(image), rows, height, columns, width)
        return grid.transpose(2, 3).reshape(len(image), rows * columns, height * width)


class VisionTransformer(nn.Module):
    """The encoder: patches and two special tokens through all blocks."""

    def __init__(self, spec: ModelSpec, training: TrainingOptions) -> None:
        """Make the encoder; stochastic depth grows linearly to its rate at the last block."""
        super().__init__()
        self.grid, self.options = spec.grid, training
        self.cls_token = nn.Parameter(torch.zeros(1, 1, spec.width))
        self.dist_token = nn.Parameter(torch.zeros(1, 1, spec.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, spec.tokens, spec.width))
        self.patch_embed = PatchEmbed(spec)
        self.stem = Stem(spec) if spec.stem or spec.yamnet else None  # not in AST as published
        rates = torch.linspace(0, training.drop_path, spec.depth, device="cpu").tolist()
        self.blocks = nn.ModuleList(Block(spec.width, spec.heads, rate) for rate in rates)
        self.norm = nn.LayerNorm(spec.width, eps=1e-6)

    def forward(self, fbank: Tensor, first: int | None = 2) -> Tensor:
        """Map normalised (batch, frames, mels) to (batch, tokens, width), the `first` or all.

        The two special tokens come first. What is not asked for costs nothing in the last block.
        """
        return self.encode(fbank, first)[0]

    def encode(self, fbank: Tensor, first: int | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the same, and which columns of patches are left (columns,): patchout's choice.

        And what a stem tells the heads (batch, 1 + columns, numbers), if there is one.
        """
        x, columns, told = self.embed(fbank)
        for block in self.blocks[:-1]:
            if self.training and self.options.activation_checkpointing:
                x = checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        out: Tensor = self.norm(self.blocks[-1](x, first))
        return out, columns, told

    def embed(self, fbank: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return what the first block reads (batch, tokens, width), and the rest as well."""
        told = None
        patches = self.patch_embed(fbank) + self.pos_embed[:, 2:]
        special = torch.cat([self.cls_token, self.dist_token], dim=1) + self.pos_embed[:, :2]
        if self.stem is not None:
            seen, seen_by_all, told = self.stem(fbank)
            patches = patches + seen.repeat(1, self.grid[0], 1)
            special = special + seen_by_all
        columns = torch.arange(self.grid[1], device=patches.device)
        if self.training and any(self.options.patchout):
            patches, columns = self._patchout(patches)
        tokens = torch.cat([special.expand(patches.shape[0], -1, -1), patches], dim=1)
        return tokens, columns, told

    def _patchout(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Leave out whole rows and columns of the grid (structured patchout, PaSST)."""
        kept = [
            torch.randperm(size, device=patches.device)[: size - out].sort().values
            for size, out in zip(self.grid, self.options.patchout, strict=True)
        ]
        image = patches.view(len(patches), *self.grid, -1)  # (batch, rows, columns, width)
        return image[:, kept[0][:, None], kept[1]].flatten(1, 2), kept[1]


class AudioSpectrogramTransformer(nn.Module):
    """AST: log-mel filterbanks in, one logit per label out.

    Unlike the official code the input is not normalised: that is part of the model here, so that
    every artefact carries the statistics that it was trained with.
    """

    def __init__(self, spec: ModelSpec, training: TrainingOptions | None = None) -> None:
        """Make a model with random weights (DeiT's initialisation).

        Raises:
            ValueError: if patchout leaves no patch.
        """
        super().__init__()
        training = training or TrainingOptions()
        if any(out >= size for out, size in zip(training.patchout, spec.grid, strict=True)):
            raise ValueError(f"patchout {training.patchout} leaves nothing of a {spec.grid} grid")
        self.spec = spec
        self.v = VisionTransformer(spec, training)
        self.v.apply(_init_linear)
        for parameter in (self.v.cls_token, self.v.dist_token, self.v.pos_embed):
            nn.init.trunc_normal_(parameter, std=0.02)
        # As in the official code the head keeps PyTorch's default initialisation, and eps.
        told = self.v.stem.told if self.v.stem else 0
        self.mlp_head = head(spec.width, told, spec.labels)
        if spec.frame_head:  # not in AST as published
            self.frame_head = head(spec.width, told, spec.labels)

    def expect(self, probability: float) -> None:
        """Let all labels begin near a probability."""
        for name, parameter in self.named_parameters():
            if name in ("mlp_head.1.bias", "frame_head.1.bias"):
                nn.init.constant_(parameter, math.log(probability / (1 - probability)))

    def forward(self, fbank: Tensor) -> Tensor:
        """Map log-mel filterbanks (batch, frames, mels) to logits (batch, labels)."""
        return self._clip_logits(self._tokens(fbank, 2)[0])

    def forward_both(self, fbank: Tensor) -> tuple[Tensor, Tensor]:
        """Map fbanks (batch, frames, mels) to logits (batch, labels) and (batch, steps, labels).

        Without a frame head there are no steps.
        """
        clip, frame, _ = self.forward_kept(fbank)
        return clip, frame

    def forward_kept(self, fbank: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the same, and the steps that have a score (steps,): all but patchout's."""
        tokens, kept = self.tokens(fbank)
        return *self.logits(tokens), kept

    def tokens(self, fbank: Tensor) -> tuple[Tensor, Tensor]:
        """Map fbanks (batch, frames, mels) to the two special tokens, then one for each step.

        Returns:
            Tokens (batch, 2 + steps, width), each with what the heads are told by a stem behind it
            if there is one, and the steps that these are of (steps,): none without a frame head,
            and not those that patchout left out.
        """
        return self._tokens(fbank, None if self.spec.frame_head else 2)

    def logits(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Map what `tokens` gives to logits (batch, labels) and (batch, steps, labels)."""
        clip = self._clip_logits(tokens[:, :2])
        if not self.spec.frame_head:
            return clip, clip.new_empty(len(clip), 0, self.spec.labels)
        return clip, self.frame_head(tokens[:, 2:])

    def _tokens(self, fbank: Tensor, first: int | None) -> tuple[Tensor, Tensor]:
        normalised = (fbank - self.spec.mean) / (2 * self.spec.std)
        # An exported encoder may compute in float16.
        encoded, kept, told = self.v.encode(normalised.to(self.v.pos_embed.dtype), first)
        tokens = encoded.float()
        if first is None:
            # A step's token is the mean of its column of patches, over frequency.
            columns = tokens[:, 2:].reshape(tokens.shape[0], -1, len(kept), self.spec.width)
            tokens = torch.cat([tokens[:, :2], columns.mean(dim=1)], dim=1)
        else:
            kept = kept[:0]
        if told is not None:
            rows = torch.cat([kept.new_zeros(2), kept + 1])
            tokens = torch.cat([tokens, told.float()[:, rows]], dim=-1)
        return tokens, kept

    def _clip_logits(self, special: Tensor) -> Tensor:
        # The two special tokens are averaged after the final norm (the paper averages before).
        logits: Tensor = self.mlp_head(special.mean(dim=1))
        return logits

    def probabilities(self, fbank: Tensor) -> Tensor:
        """Map log-mel filterbanks (batch, frames, mels) to probabilities (batch, labels)."""
        logits = self(fbank)
        out: Tensor = logits.sigmoid() if self.spec.activation == "sigmoid" else logits.softmax(-1)
        return out


def _init_linear(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
