"""The networks of `benchmarks/engines.py`: graphs of the same weights on all sides."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ast_edge.model.bundle import Bundle, find_bundle, load_bundle
from ast_edge.model.spec import SIZES, ModelSpec
from parts.described import write_description
from parts.random_bundle import LABELS, bundle_of
from parts.window_side import windows_of

if TYPE_CHECKING:
    from ast_training.model.network import AudioSpectrogramTransformer

STRIDE = 10
MERGED = 20
"""Where tokens are merged, each block merges one in so many patches: a third of the operations."""


@dataclass(frozen=True)
class Network:
    """A network that is ready to be run by all sides."""

    title: str
    folder: Path
    flop: int
    """Of the graph, in a window."""
    peer_flop: int | None = None
    """Of Hugging Face's model; None if there is none of this network."""
    whole: Path | None = None
    """The bundle in int8."""
    merging: Path | None = None
    """One whose blocks merge tokens, and in it one of that in int8."""
    merging_flop: int | None = None


def shipped(name: str) -> Network:
    """Return a bundle that ships; there is no peer of it."""
    from ast_export.flops import count_flops

    bundle = load_bundle(find_bundle(name))
    title = f"The bundle `{name}`, window of {bundle.frames / 100:g} s"
    return Network(title, bundle.folder, count_flops(bundle.onnx))


def prepare(name: str, frames: int, folder: Path) -> Network:
    """Export an AST of a size and stride ("base/16") with the weights of the peer.

    Its input is not normalised, as the peer's is not.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from ast_export.flops import count_flops
    from ast_export.graph import export_graph
    from ast_export.merged import MergedModel
    from ast_training.model.network import AudioSpectrogramTransformer
    from ast_training.weights.layouts import to_ours
    from parts.peer import peer_model
    from parts.quantized import quantized

    size, _, stride = name.partition("/")
    spec = spec_of(size, int(stride or STRIDE), frames)
    peer = peer_model(spec)
    ours = AudioSpectrogramTransformer(spec)
    ours.load_state_dict(to_ours(peer.state_dict()))
    folder.mkdir()
    export_graph(MergedModel([ours]), folder / "model.onnx")
    bundle = bundle_of(spec, folder, "benchmark")
    write_description(bundle)
    whole = quantized(bundle, windows_of(bundle, 1))
    write_description(whole)
    merging = _write_merging(ours, folder / "merging")
    # The counter does not know the fused attention of CPUs; the plain one has the same products.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        peer(torch.zeros(1, spec.frames, spec.mel_bins))
    title = f"AST-{size}, window of {frames / 100:g} s, stride {spec.stride[0]}: "
    return Network(
        f"{title}{spec.tokens:,} tokens",
        folder,
        count_flops(bundle.onnx),
        counter.get_total_flops(),
        whole.folder,
        merging.folder,
        count_flops(merging.onnx),
    )


def _write_merging(ours: "AudioSpectrogramTransformer", folder: Path) -> Bundle:
    """Export the same network with fewer tokens from block to block, and once more in int8."""
    from ast_export.graph import export_graph
    from ast_export.merged import MergedModel
    from parts.quantized import quantized

    folder.mkdir()
    count = (ours.spec.tokens - 2) // MERGED
    export_graph(MergedModel([ours], merge_tokens=count), folder / "model.onnx")
    bundle = bundle_of(ours.spec, folder, "benchmark")
    write_description(bundle)
    write_description(quantized(bundle, windows_of(bundle, 1)))
    return bundle


def write_peaks(folder: Path) -> dict[str, Path]:
    """Write large matrix products as bundles, by the precision of the graph."""
    from ast_export.peak import write_peak

    folders = {}
    for precision in ("fp32", "int8"):
        folders[precision] = folder / f"peak {precision}"
        folders[precision].mkdir()
        write_description(write_peak(folders[precision], precision))
    return folders


def spec_of(size: str, stride: int, frames: int) -> ModelSpec:
    """Return the shape of a network of AudioSet's labels."""
    width, depth, heads = SIZES[size]
    spec = ModelSpec(labels=LABELS, frames=frames, width=width, depth=depth, heads=heads)
    return replace(spec, stride=(stride, stride), mean=0.0, std=0.5)
