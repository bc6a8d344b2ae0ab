"""Measure the engines beside Hugging Face's AST forward in PyTorch, in turns in one process.

python benchmarks/engines.py --size tiny --frames 512
python benchmarks/engines.py

The peer is `ASTForAudioClassification` in float32 with PyTorch's fused attention (sdpa). The
engines run the graph that `ast_export` makes of our model with the same weights. A turn of each is
one run that does not count and one that does. Memory is that of a process of its own per engine.

Leave the machine alone meanwhile: PyTorch's threads wait for one another, so that whatever else
runs slows the peer most (one busy core of two: more than ten times).
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ast_edge.bundle import Bundle, file_sha256
from ast_edge.config import EngineConfig
from ast_edge.engine import open_engine
from ast_edge.events import Label
from ast_edge.fbank import FbankSpec
from ast_edge.spec import SIZES, ModelSpec

if TYPE_CHECKING:
    from torch import nn

# Neither torch nor transformers above: the memory of an engine must not hold them.

LABELS = 527
PEER = "Hugging Face fp32"
ENGINES = ("onnxruntime fp32", "openvino fp32", "openvino bf16")
PAUSE = 0.3
"""Seconds before each turn, in which the threads of the one before stop spinning."""

Forward = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps windows (batch, frames, mels) to probabilities (batch, labels)."""


def main() -> None:
    """Print latency, paired ratios, memory and how far the answers are apart."""
    args = _arguments()
    spec = _spec(args)
    windows = _windows(args, spec)
    if args.only:
        _measure_memory(args, spec, windows)
        return
    from ast_export.machine import describe_machine

    packages = ("torch", "transformers", "onnxruntime", "openvino")
    print(describe_machine())
    print(", ".join(f"{name} {version(name)}" for name in packages))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        peer = _peer(args, spec)
        _write_graph(peer, spec, folder)
        flops = _print_flops(args, peer, spec, folder)
        sides = {PEER: _forward(peer)}
        sides |= {name: _engine(args, spec, folder, name) for name in ENGINES}
        seconds = _race(args, sides, windows)
        _print_speeds(args, seconds, flops)
        expected = sides[PEER](windows)
        for name in ENGINES:
            difference = np.abs(sides[name](windows) - expected).max()
            print(f"{name:18s} {difference:.1e} largest difference in probability")
        for name in sides:
            print(f"{name:18s} {_memory(args, folder, name):5.0f} MB at most in its own process")
    print(describe_machine())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=list(SIZES), default="base")
    parser.add_argument("--frames", type=int, default=1024)
    parser.add_argument("--stride", type=int, default=10)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    return parser.parse_args()


def _spec(args: argparse.Namespace) -> ModelSpec:
    """Return the shape of the network; the input is not normalised, as the peer's is not."""
    width, depth, heads = SIZES[args.size]
    return ModelSpec(
        labels=LABELS,
        frames=args.frames,
        width=width,
        depth=depth,
        heads=heads,
        stride=(args.stride, args.stride),
        mean=0.0,
        std=0.5,
    )


def _windows(args: argparse.Namespace, spec: ModelSpec) -> NDArray[np.float32]:
    shape = (args.batch, spec.frames, spec.mel_bins)
    return np.random.default_rng(0).normal(0, 0.5, shape).astype(np.float32)


# The two sides


def _peer(args: argparse.Namespace, spec: ModelSpec) -> "nn.Module":
    """Make the peer, with random weights."""
    import torch
    from transformers import ASTConfig, ASTForAudioClassification

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    config = ASTConfig(
        hidden_size=spec.width,
        num_hidden_layers=spec.depth,
        num_attention_heads=spec.heads,
        intermediate_size=4 * spec.width,
        frequency_stride=spec.stride[0],
        time_stride=spec.stride[1],
        max_length=spec.frames,
        num_labels=spec.labels,
        layer_norm_eps=1e-6,  # as in the official code, and ours
        attn_implementation="sdpa",
    )
    return ASTForAudioClassification(config).eval().requires_grad_(False)


def _forward(peer: "nn.Module") -> Forward:
    import torch

    @torch.inference_mode()
    def forward(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = peer(torch.from_numpy(windows)).logits.sigmoid().numpy()
        return scores

    return forward


def _write_graph(peer: "nn.Module", spec: ModelSpec, folder: Path) -> None:
    """Export our model with the weights of the peer."""
    from ast_export.graph import export_graph
    from ast_export.merged import MergedModel
    from ast_training.model import AudioSpectrogramTransformer
    from ast_training.weights.layouts import to_ours

    ours = AudioSpectrogramTransformer(spec)
    ours.load_state_dict(to_ours(peer.state_dict()))
    export_graph(MergedModel([ours]), folder / "model.onnx")


def _engine(args: argparse.Namespace, spec: ModelSpec, folder: Path, name: str) -> Forward:
    engine, precision = name.split()
    config = {"name": engine, "precision": precision, "threads": args.threads}
    bundle = Bundle(
        folder=folder,
        name="benchmark",
        fbank=FbankSpec(),
        members=(spec,),
        labels=tuple(Label(number, f"label {number}", "") for number in range(spec.labels)),
        settings={},
        sha256=file_sha256(folder / "model.onnx"),
        precision="fp32",
        metrics={},
        licence="",
    )
    opened = open_engine(bundle, EngineConfig.model_validate(config))
    return lambda windows: opened.run(windows).clip


# What is measured


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


def _print_flops(
    args: argparse.Namespace, peer: "nn.Module", spec: ModelSpec, folder: Path
) -> dict[str, int]:
    """Say what both sides compute, and return the FLOP of a window of each."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from ast_export.flops import count_flops

    # The counter does not know the fused attention of CPUs; the plain one has the same products.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        peer(torch.zeros(1, spec.frames, spec.mel_bins))
    graph = count_flops(folder / "model.onnx")
    print(
        f"AST-{args.size}, {args.frames} frames, stride {args.stride}, batch {args.batch}, "
        f"{args.threads} threads, {args.rounds} rounds\n"
        f"GFLOP a window: {counter.get_total_flops() / 1e9:.2f} in the peer, {graph / 1e9:.2f} in "
        "our graph, whose last block computes the two special tokens only"
    )
    return {PEER: counter.get_total_flops()} | dict.fromkeys(ENGINES, graph)


def _print_speeds(
    args: argparse.Namespace, seconds: dict[str, list[float]], flops: dict[str, int]
) -> None:
    """Print medians with quartiles; the ratios are those of the runs of one round."""
    for name, values in seconds.items():
        low, middle, high = (1000 * q for q in _quartiles(values))
        speed = args.batch * flops[name] / middle / 1e6
        print(f"{name:18s} {middle:7.1f} ms ({low:.1f} to {high:.1f}), {speed:.0f} GFLOP/s")
    for name in ENGINES:
        ratios = [a / b for a, b in zip(seconds[PEER], seconds[name], strict=True)]
        low, middle, high = _quartiles(ratios)
        print(f"{name:18s} {middle:7.2f} x as fast as the peer ({low:.2f} to {high:.2f})")


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def _memory(args: argparse.Namespace, folder: Path, name: str) -> float:
    """Return the MB that a process takes at most which does nothing but run one side."""
    options = {k: getattr(args, k) for k in ("size", "frames", "stride", "batch", "threads")}
    options |= {"data": folder, "only": name}
    own = [f"--{key}={value}" for key, value in options.items()]
    finished = subprocess.run(
        [sys.executable, __file__, *own], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(finished.stdout)


def _measure_memory(
    args: argparse.Namespace, spec: ModelSpec, windows: NDArray[np.float32]
) -> None:
    if args.only == PEER:
        forward = _forward(_peer(args, spec))
    else:
        forward = _engine(args, spec, args.data, args.only)
    for _ in range(3):
        forward(windows)
    # Not ru_maxrss, which a child inherits.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    print(int(status.partition("VmHWM:")[2].split()[0]) / 1e3)


if __name__ == "__main__":
    main()
