"""One side of `benchmarks/engines.py`: what runs a window, for a turn in a process of its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ast_edge.model.bundle import Bundle, load_bundle
from parts.apart import SLEEP, apart
from parts.quiet import Quiet, Watch

RUNS = 3
"""In a turn, at least."""

Windows = NDArray[np.float32]
Forward = Callable[[Windows], NDArray[np.float32]]
"""Maps windows (batch, frames, mels) to probabilities (batch, labels)."""


@dataclass(frozen=True)
class Side:
    """What runs, and how."""

    kind: Literal["engine", "session", "peer", "products"]
    """An engine of ours, a session of ONNX Runtime as it comes, Hugging Face's AST, or PyTorch's
    large matrix products."""
    precision: str
    threads: int
    folder: Path
    """Of the bundle; of products it says nothing."""
    engine: str = ""
    spins: bool = False
    """Whether its threads may wait as their library lets them, or sleep at once."""


@dataclass(frozen=True)
class Turn:
    """What a side needed."""

    seconds: tuple[float, ...]
    """Of each run."""
    quiet: Quiet
    answer: NDArray[np.float32]
    """Probabilities (batch, labels) of the windows."""


def in_turn(side: Side, batch: int, least: float) -> Turn:
    """Let a side run in a process of its own, for so many seconds at least."""
    return apart({} if side.spins else SLEEP, take_turn, side, batch, least)


def take_turn(side: Side, batch: int, least: float) -> Turn:
    """Run a side in this process, for so many seconds; two runs before do not count."""
    forward, windows = _opened(side, batch)
    answer = forward(windows)
    forward(windows)
    watch, seconds = Watch(), list[float]()
    with watch.running():
        while len(seconds) < RUNS or sum(seconds) < least:
            started = time.perf_counter()
            forward(windows)
            seconds.append(time.perf_counter() - started)
    return Turn(tuple(seconds), watch.found, answer)


def windows_of(bundle: Bundle, batch: int) -> Windows:
    """Return the same noise for every side (batch, frames, mels)."""
    shape = (batch, bundle.frames, bundle.fbank.mel_bins)
    return np.random.default_rng(0).normal(0, 0.5, shape).astype(np.float32)


def _opened(side: Side, batch: int) -> tuple[Forward, Windows]:
    if side.kind == "products":
        return _products(side)
    bundle = load_bundle(side.folder, sums=False)
    open_side = {"engine": _engine, "session": _session, "peer": _peer}[side.kind]
    return open_side(side, bundle), windows_of(bundle, batch)


def _engine(side: Side, bundle: Bundle) -> Forward:
    from ast_edge.engines.choice import open_engine
    from ast_edge.engines.config import EngineConfig

    # Of a graph in int8, what is no product.
    precision = "auto" if bundle.precision == "int8" else side.precision
    config = {"name": side.engine, "precision": precision, "threads": side.threads}
    engine = open_engine(bundle, EngineConfig.model_validate(config))
    return lambda windows: engine.run(windows).clip


def _session(side: Side, bundle: Bundle) -> Forward:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = side.threads
    session = onnxruntime.InferenceSession(bundle.onnx, options, providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0].name

    def forward(windows: Windows) -> NDArray[np.float32]:
        clip: NDArray[np.float32] = session.run(["clip"], {port: windows})[0]
        return clip

    return forward


def _peer(side: Side, bundle: Bundle) -> Forward:
    import torch

    from parts.peer import peer_model

    torch.set_num_threads(side.threads)
    peer = peer_model(bundle.members[0])
    dtype = torch.bfloat16 if side.precision == "bf16" else torch.float32
    peer.to(dtype)

    @torch.inference_mode()
    def forward(windows: Windows) -> NDArray[np.float32]:
        logits = peer(torch.from_numpy(windows).to(dtype)).logits
        scores: NDArray[np.float32] = logits.float().sigmoid().numpy()
        return scores

    return forward


def _products(side: Side) -> tuple[Forward, Windows]:
    """Set up what `ast_export.peak` computes, in PyTorch."""
    import torch

    from ast_export.peak import CHAIN, SIZE

    torch.set_num_threads(side.threads)
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((SIZE, SIZE)).astype(np.float32)
    dtype = torch.bfloat16 if side.precision == "bf16" else torch.float32
    weights = torch.from_numpy(matrix / SIZE**0.5).to(dtype)
    made = torch.from_numpy(matrix).to(dtype)

    @torch.inference_mode()
    def forward(windows: Windows) -> NDArray[np.float32]:
        product = made
        for _ in range(CHAIN):
            product = torch.nn.functional.linear(product, weights)
        largest: NDArray[np.float32] = product[:1].float().numpy()
        return largest

    return forward, matrix[:1]
