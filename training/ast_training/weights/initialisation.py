"""Starting from the weights of another model instead of random ones."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ast_edge.base.errors import BundleError
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.label import Label
from ast_edge.model.spec import ModelSpec
from ast_training.model.checkpoint import load_checkpoint
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.weights.efficientat import efficientat_stem
from ast_training.weights.foreign import ForeignModel, read_foreign
from ast_training.weights.foreign_spec import HEAD_WIDTH, foreign_spec
from ast_training.weights.pos_embed import PosEmbed, adapt_pos_embed
from ast_training.weights.yamnet import yamnet_stem

OUTPUT_LAYERS = ("mlp_head.1", "frame_head.1")
"""Those that have a row for each label."""
STEM = "v.stem."


@dataclass(frozen=True, eq=False)
class _Source:
    """What weights can be taken from."""

    weights: dict[str, Tensor]
    """With our names."""
    shape: str
    """Size and patch in words; must be the model's."""
    grid: tuple[int, int]
    """Of its patches (along frequency, along time)."""
    labels: tuple[str, ...] | None = None
    """Of a checkpoint of ours."""
    statistics: tuple[float, float] | None = None
    """Mean and std that its input was normalised by; a DeiT has seen no spectrogram."""


def initialise(
    model: AudioSpectrogramTransformer,
    source: Path,
    pos_embed: PosEmbed = "bilinear",
    labels: tuple[Label, ...] | None = None,
    *,
    frozen: bool = False,
    stem: bool = True,
) -> None:
    """Take over the weights of a DeiT, a foreign AST or a checkpoint of ours.

    The heads stay random, as in the official code, but for the labels that a checkpoint of ours
    knows by the same name. The statistics of the input stay the model's.

    Args:
        model: what to initialise; of the source's width, depth, heads and patch.
        source: a file or a Hugging Face folder.
        pos_embed: how the positional embedding is fitted to the model's grid of patches.
        labels: of the model; without them the heads stay random.
        frozen: the encoder will not learn another input: it has to be what it was trained with.
        stem: take the networks of a model's stem from there too. What reads them is taken anyway;
            what would read one that the source has not says nothing yet.

    Raises:
        BundleError: if the source cannot be read, or is a model of another size or patch, or
            its input has other statistics than that of a frozen one.
    """
    found, wanted, own = _read(source), _shape_of(model.spec), model.state_dict()
    if found.shape != wanted:
        raise BundleError(f"{source}: expected a model of {wanted}, got one of {found.shape}")
    if frozen and found.statistics:
        _check_statistics(source, found.statistics, model.spec)
    taken = {k: v for k, v in found.weights.items() if k.startswith("v.")}
    if not stem:
        taken = {k: v for k, v in taken.items() if not k.startswith(f"{STEM}networks.")}
    elif model.v.stem and not any(k.startswith(STEM) for k in taken):
        raise BundleError(f"{source}: has no stem; give the model's stem its own weights")
    readers = [name for name in own if name.startswith(f"{STEM}readers.") and ".proj." in name]
    taken |= {name: torch.zeros_like(own[name]) for name in readers if name not in taken}
    taken["v.pos_embed"] = adapt_pos_embed(
        taken["v.pos_embed"], found.grid, model.spec.grid, pos_embed
    )
    for name, value in taken.items():
        if name not in own:
            raise BundleError(f"{source}: has a stem, which the model has not")
        if value.shape != own[name].shape:
            raise BundleError(
                f"{source}: {name}: expected the shape {tuple(own[name].shape)}, "
                f"got {tuple(value.shape)}"
            )
    names = tuple(label.name for label in labels or ())
    model.load_state_dict(own | taken | _heads(found, names, own))


def initialise_stem(
    model: AudioSpectrogramTransformer, fbank: FbankSpec, stem: Path | None, yamnet: Path | None
) -> None:
    """Give the networks of a model's stem, which do not learn, the weights of EfficientAT, YAMNet.

    Raises:
        BundleError: if a source cannot be read, or is a network of another kind or width.
    """
    fixed: dict[str, Tensor] = {}
    if stem:
        found = efficientat_stem(stem, model.spec.stem, fbank)
        fixed |= {f"{STEM}networks.efficientat.{k}": v for k, v in found.items()}
    if yamnet:
        found = yamnet_stem(yamnet, fbank)
        fixed |= {f"{STEM}networks.yamnet.{k}": v for k, v in found.items()}
    model.load_state_dict(model.state_dict() | fixed)


def _check_statistics(source: Path, known: tuple[float, float], spec: ModelSpec) -> None:
    pairs = zip(known, (spec.mean, spec.std), strict=True)
    if not all(math.isclose(one, other, rel_tol=1e-3) for one, other in pairs):
        raise BundleError(
            f"{source}: was trained on input of mean {known[0]:.7g} and std {known[1]:.7g}, and "
            "what stays as it is needs the same; set model.mean and model.std (they are "
            f"{spec.mean:g} and {spec.std:g})"
        )


def _heads(found: _Source, names: tuple[str, ...], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the model's heads with the source's rows for the labels that both have by name."""
    rows = {name: row for row, name in enumerate(found.labels or ())}
    known = [row for row, name in enumerate(names) if name in rows]
    if not known:
        return {}
    theirs = [rows[names[row]] for row in known]
    heads = {}
    for key, value in found.weights.items():
        if key.startswith("v.") or key not in own:
            continue
        heads[key] = value
        if key.rpartition(".")[0] in OUTPUT_LAYERS:
            heads[key] = own[key].clone()
            heads[key][known] = value[theirs].to(own[key].dtype)
    return heads


def _read(source: Path) -> _Source:
    if source.suffix == ".safetensors" and _is_checkpoint(source):
        checkpoint = load_checkpoint(source)
        checkpoint.build()
        spec, names = checkpoint.model, tuple(label.name for label in checkpoint.labels)
        statistics = spec.mean, spec.std
        return _Source(checkpoint.weights, _shape_of(spec), spec.grid, names, statistics)
    foreign = read_foreign(source)
    if "mlp_head.1.bias" in foreign.weights:
        spec = foreign_spec(foreign)
        statistics = spec.mean, spec.std
        return _Source(foreign.weights, _shape_of(spec), spec.grid, statistics=statistics)
    return _read_deit(foreign)


def _is_checkpoint(file: Path) -> bool:
    try:
        with safe_open(file, framework="pt") as tensors:
            return "ast_edge" in (tensors.metadata() or {})
    except (OSError, SafetensorError) as exc:
        raise BundleError(f"{file}: is no readable safetensors file: {exc}") from exc


def _read_deit(foreign: ForeignModel) -> _Source:
    embedding = foreign.weights["v.pos_embed"]
    kernel = foreign.weights["v.patch_embed.proj.weight"]
    tokens = embedding.shape[1] if embedding.ndim == 3 else 0
    side = math.isqrt(max(0, tokens - 2))
    if tokens < 3 or tokens != 2 + side**2:
        raise BundleError(
            f"{foreign.file}: expected a DeiT with a square grid of patches and two special "
            f"tokens, got the positional embedding {tuple(embedding.shape)}"
        )
    width, depth = kernel.shape[0], sum(k.endswith(".norm1.weight") for k in foreign.weights)
    shape = _shape(width, depth, max(1, width // HEAD_WIDTH), tuple(kernel.shape[2:]))
    return _Source(foreign.weights, shape, (side, side))


def _shape(width: int, depth: int, heads: int, patch: tuple[int, ...]) -> str:
    kernel = " by ".join(map(str, patch))
    return f"width {width}, {depth} blocks, {heads} heads and patches of {kernel}"


def _shape_of(spec: ModelSpec) -> str:
    return _shape(spec.width, spec.depth, spec.heads, spec.patch)
