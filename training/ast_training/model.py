"""The Audio Spectrogram Transformer, complete (Gong, Chung, Glass: AST, Interspeech 2021).

A spectrogram is cut into patches like a picture, each patch becomes a token, and a Vision
Transformer (DeiT: two special tokens, pre-norm blocks) reads them. Parameter names follow the
official repository (`v.blocks.0.attn.qkv.weight`, `mlp_head.1.bias`), so that its checkpoints load
as they are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ast_edge.spec import ModelSpec


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

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, width) to the same shape."""
        batch, tokens, width = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (batch, heads, tokens, head width)
        if self.plain:
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
            mixed = scores.float().softmax(dim=-1).to(v.dtype) @ v
        else:
            mixed = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))
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

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, width) to the same shape."""
        x = x + self._dropped(self.attn(self.norm1(x)))
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
        tokens: Tensor = self.proj(image).flatten(2).transpose(1, 2)
        return tokens


class VisionTransformer(nn.Module):
    """The encoder: patches and two special tokens through all blocks."""

    def __init__(self, spec: ModelSpec, drop_path: float = 0.0) -> None:
        """Make the encoder; stochastic depth grows linearly to `drop_path` at the last block."""
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, spec.width))
        self.dist_token = nn.Parameter(torch.zeros(1, 1, spec.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, spec.tokens, spec.width))
        self.patch_embed = PatchEmbed(spec)
        rates = torch.linspace(0, drop_path, spec.depth, device="cpu").tolist()
        self.blocks = nn.ModuleList(Block(spec.width, spec.heads, rate) for rate in rates)
        self.norm = nn.LayerNorm(spec.width, eps=1e-6)

    def forward(self, fbank: Tensor) -> Tensor:
        """Map normalised (batch, frames, mels) to tokens (batch, 2 + patches, width)."""
        patches = self.patch_embed(fbank)
        special = torch.cat([self.cls_token, self.dist_token], dim=1)
        x = torch.cat([special.expand(patches.shape[0], -1, -1), patches], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x)
        return out


class AudioSpectrogramTransformer(nn.Module):
    """AST: log-mel filterbanks in, one logit per label out.

    Unlike the official code the input is not normalised: that is part of the model here, so that
    every artefact carries the statistics that it was trained with.
    """

    def __init__(self, spec: ModelSpec, drop_path: float = 0.0) -> None:
        """Make a model with random weights (DeiT's initialisation)."""
        super().__init__()
        self.spec = spec
        self.v = VisionTransformer(spec, drop_path)
        self.v.apply(_init_linear)
        for parameter in (self.v.cls_token, self.v.dist_token, self.v.pos_embed):
            nn.init.trunc_normal_(parameter, std=0.02)
        # As in the official code the head keeps PyTorch's default initialisation, and eps.
        self.mlp_head = nn.Sequential(nn.LayerNorm(spec.width), nn.Linear(spec.width, spec.labels))

    def forward(self, fbank: Tensor) -> Tensor:
        """Map log-mel filterbanks (batch, frames, mels) to logits (batch, labels)."""
        tokens = self.v((fbank - self.spec.mean) / (2 * self.spec.std))
        # The two special tokens are averaged after the final norm (the paper averages before).
        logits: Tensor = self.mlp_head((tokens[:, 0] + tokens[:, 1]) / 2)
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


def adapt_pos_embed(pos_embed: Tensor, source: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """Fit a positional embedding to another patch grid (paper, section 2.2).

    An axis that shrinks is cut around its centre; an axis that grows is interpolated bilinearly.
    The two special tokens keep their embeddings.

    Args:
        pos_embed: (1, 2 + patches, width), patches frequency-major.
        source: its grid (along frequency, along time).
        target: the wanted grid.
    """
    if pos_embed.shape[1] != 2 + source[0] * source[1]:
        raise ValueError(f"{pos_embed.shape[1]} tokens do not fill a {source} grid and 2 tokens")
    special, patches = pos_embed[:, :2], pos_embed[:, 2:]
    grid = patches.transpose(1, 2).reshape(1, -1, *source)  # (1, width, frequency, time)
    for axis, size in ((3, target[1]), (2, target[0])):  # time first, as the official code
        have = grid.shape[axis]
        if size <= have:
            grid = grid.narrow(axis, have // 2 - size // 2, size)
        else:
            shape = (grid.shape[2], size) if axis == 3 else (size, grid.shape[3])
            grid = F.interpolate(grid, shape, mode="bilinear", align_corners=False)
    return torch.cat([special, grid.flatten(2).transpose(1, 2)], dim=1)
