"""Measure one window: the engines beside Hugging Face's AST in PyTorch, in turns in one process.

    python benchmarks/engines.py
    python benchmarks/engines.py --network tiny base/16 --frames 1024    # patches 16 apart, not 10

The peer is `ASTForAudioClassification` with PyTorch's fused attention (sdpa), in float32, which is
its default, and in bfloat16. The engines run the graph that `ast_export` makes of our model with
the same weights, and the one that it makes with `--precision int8`; the bundle `home` has no peer
but ONNX Runtime. Beside them, and in the same turns, runs what the machine can do: large matrix
products in OpenVINO. A turn of each is one run that does not count and one that does.

Leave the machine alone meanwhile: PyTorch's threads wait for one another, so that whatever else
runs slows the peer most (one busy core of two: more than ten times).
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from parts.peer import peer_model
from parts.quantized import quantized
from parts.result import RESULTS, Plot, Result, Table, as_markdown
from parts.spread import spread
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import ASTForAudioClassification

from ast_edge.base.files import file_sha256
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.bundle import Bundle, find_bundle, load_bundle
from ast_edge.model.label import Label
from ast_edge.model.spec import SIZES, ModelSpec
from ast_export.flops import count_flops
from ast_export.graph import export_graph
from ast_export.merged import MergedModel
from ast_export.peak import PEAK_FLOPS, peak_windows, write_peak
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.weights.layouts import to_ours

LABELS = 527
PEER, PEER_BF16 = "Hugging Face fp32", "Hugging Face bf16"
REFERENCE = "onnxruntime fp32"
STRIDE = 10
NETWORKS = ["home", *SIZES, "base/16"]
"""The bundle, and ASTs by size; after the slash the stride, if it is another."""
ENGINES = (REFERENCE, "openvino fp32", "openvino bf16")
WHOLE = "openvino int8"
PEAKS = {precision: f"matrix products {precision}" for precision in ("fp32", "bf16", "int8")}
PAUSE = 0.3
"""Seconds before each turn, in which the threads of the one before stop spinning."""

Forward = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps windows (batch, frames, mels) to probabilities (batch, labels)."""


@dataclass(frozen=True)
class Sides:
    """What is measured with one network, and the FLOP that each of them computes in a window."""

    title: str
    windows: NDArray[np.float32]
    forwards: dict[str, Forward]
    flops: dict[str, int]


def main() -> None:
    """Print and save latency, paired ratios, share of the peak and differences of the answers."""
    args = _arguments()
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("torch", "transformers", "onnxruntime", "openvino")
    )
    result = Result("One window")
    found: dict[str, dict[str, tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        peaks = _peaks(args, Path(scratch))
        for network in args.network:
            folder = Path(scratch) / network.replace("/", "-")
            folder.mkdir()
            sides = _home(args) if network == "home" else _network(args, network, folder)
            seconds = _race(args, sides.forwards | peaks, sides.windows)
            result.tables.append(_table(args, sides, peaks, seconds))
            for name, flops in sides.flops.items():
                milliseconds = 1000 * statistics.median(seconds[name])
                found.setdefault(name, {})[network] = flops / 1e9, milliseconds
    result.tables.insert(0, _summary(args, found, packages))
    series = {name: sorted(points.values()) for name, points in found.items()}
    result.plots.append(Plot("One window by its work", "GFLOP", "ms", series))
    path = result.save("engines", args.results)
    print(as_markdown(result), path, sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS, nargs="+", default=NETWORKS)
    parser.add_argument("--frames", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


# The sides


def _network(args: argparse.Namespace, network: str, folder: Path) -> Sides:
    """Set up an AST of this size and stride, with the same random weights on all sides."""
    size, _, stride = network.partition("/")
    spec = _spec(args, size, int(stride or STRIDE))
    torch.set_num_threads(args.threads)
    peer = peer_model(spec)
    ours = AudioSpectrogramTransformer(spec)
    ours.load_state_dict(to_ours(peer.state_dict()))
    export_graph(MergedModel([ours]), folder / "model.onnx")
    bundle = _bundle(spec, folder)
    graph = count_flops(bundle.onnx)
    # The counter does not know the fused attention of CPUs; the plain one has the same products.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        peer(torch.zeros(1, spec.frames, spec.mel_bins))
    forwards = {PEER: _forward(peer)}
    forwards |= {name: _engine(args, bundle, name) for name in ENGINES}
    windows = _windows(args, spec)
    forwards[WHOLE] = _engine(args, quantized(bundle, windows), WHOLE)
    half = ASTForAudioClassification(peer.config).bfloat16().eval().requires_grad_(False)
    half.load_state_dict(peer.state_dict())
    forwards[PEER_BF16] = _forward(half)
    return Sides(
        f"AST-{size}, window of {args.frames / 100:g} s, stride {spec.stride[0]}: "
        f"{spec.tokens:,} tokens",
        windows,
        forwards,
        dict.fromkeys((PEER, PEER_BF16), counter.get_total_flops())
        | dict.fromkeys((*ENGINES, WHOLE), graph),
    )


def _home(args: argparse.Namespace) -> Sides:
    bundle = load_bundle(find_bundle("home"))
    return Sides(
        f"The bundle `home`, window of {bundle.frames / 100:g} s",
        _windows(args, bundle.members[0]),
        {name: _engine(args, bundle, name) for name in ENGINES},
        dict.fromkeys(ENGINES, count_flops(bundle.onnx)),
    )


def _spec(args: argparse.Namespace, size: str, stride: int) -> ModelSpec:
    """Return the shape of the network; the input is not normalised, as the peer's is not."""
    width, depth, heads = SIZES[size]
    return ModelSpec(
        labels=LABELS,
        frames=args.frames,
        width=width,
        depth=depth,
        heads=heads,
        stride=(stride, stride),
        mean=0.0,
        std=0.5,
    )


def _windows(args: argparse.Namespace, spec: ModelSpec) -> NDArray[np.float32]:
    shape = (args.batch, spec.frames, spec.mel_bins)
    return np.random.default_rng(0).normal(0, 0.5, shape).astype(np.float32)


def _forward(peer: nn.Module) -> Forward:
    dtype = next(peer.parameters()).dtype

    @torch.inference_mode()
    def forward(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        logits = peer(torch.from_numpy(windows).to(dtype)).logits
        scores: NDArray[np.float32] = logits.float().sigmoid().numpy()
        return scores

    return forward


def _bundle(spec: ModelSpec, folder: Path) -> Bundle:
    return Bundle(
        folder=folder,
        name="benchmark",
        fbank=FbankSpec(),
        members=(spec,),
        labels=tuple(Label(number, f"label {number}", "") for number in range(spec.labels)),
        settings={},
        sha256=file_sha256(folder / "model.onnx"),
        precision="fp32",
        frame="none",
        clip_gate=False,
        metrics={},
        licence="",
    )


def _engine(args: argparse.Namespace, bundle: Bundle, name: str) -> Forward:
    engine, precision = name.split()
    if bundle.precision == "int8":
        precision = "auto"  # of what is not a product
    config = {"name": engine, "precision": precision, "threads": args.threads}
    opened = open_engine(bundle, EngineConfig.model_validate(config))
    return lambda windows: opened.run(windows).clip


def _peaks(args: argparse.Namespace, scratch: Path) -> dict[str, Forward]:
    """Set up large matrix products, which take no part of the windows that they are given."""
    sides = {}
    for precision, name in PEAKS.items():
        folder = scratch / f"peak {precision}"
        folder.mkdir()
        products = write_peak(folder, "int8" if precision == "int8" else "fp32")
        run = _engine(args, products, f"openvino {precision}")
        sides[name] = lambda _, run=run: run(peak_windows(1))
    return sides


# What is measured


def _summary(
    args: argparse.Namespace, found: dict[str, dict[str, tuple[float, float]]], packages: str
) -> Table:
    """Put the medians of all networks side by side."""
    rows = []
    for network in args.network:
        gflop = f"{found[REFERENCE][network][0]:.1f}"
        cells = [f"{of[network][1]:.1f}" if network in of else "" for of in found.values()]
        rows.append([network, gflop, *cells])
    note = f"Medians. After a slash stands the stride, else it is {STRIDE}. {packages}."
    return Table("Milliseconds by network", ["network", "GFLOP", *found], rows, note)


def _table(
    args: argparse.Namespace,
    sides: Sides,
    peaks: dict[str, Forward],
    seconds: dict[str, list[float]],
) -> Table:
    peak = {
        precision: PEAK_FLOPS / statistics.median(seconds[name])
        for precision, name in PEAKS.items()
    }
    base = PEER if PEER in sides.forwards else REFERENCE
    expected = sides.forwards[base](sides.windows)
    rows = []
    for name, forward in sides.forwards.items():
        milliseconds = [1000 * value for value in seconds[name]]
        ratios = [a / b for a, b in zip(seconds[base], seconds[name], strict=True)]
        speed = args.batch * sides.flops[name] / statistics.median(seconds[name])
        difference = float(np.abs(forward(sides.windows) - expected).max())
        rows.append(
            [
                name,
                spread(milliseconds, 1),
                "1" if name == base else spread(ratios, 2),
                f"{sides.flops[name] / 1e9:.2f}",
                f"{speed / peak[name.split()[-1]]:.0%}",
                "" if name == base else f"{difference:.1e}",
            ]
        )
    caption = f"{sides.title}, batch {args.batch}, {args.threads} threads, {args.rounds} rounds"
    products = ", ".join(f"{value / 1e9:.0f} GFLOP/s in {name}" for name, value in peak.items())
    columns = ["", "ms (quartiles)", f"times as fast as {base}", "GFLOP", "share of peak"]
    note = f"Peak: {products}."
    return Table(caption, [*columns, "largest difference in probability"], rows, note)


def _race(
    args: argparse.Namespace, sides: dict[str, Forward], windows: NDArray[np.float32]
) -> dict[str, list[float]]:
    """Run the sides in turn, round after round and each time in another order."""
    order = random.Random(0)
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(args.rounds):
        for name in order.sample(list(sides), len(sides)):
            time.sleep(PAUSE)
            sides[name](windows)
            started = time.perf_counter()
            sides[name](windows)
            seconds[name].append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main()
