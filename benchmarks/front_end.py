"""Measure the cost of the rolling filterbank beside torchaudio's batch function, in one run.

    python benchmarks/front_end.py

Each on one thread; the rolling one is fed in blocks of 100 ms, and a hop at once, as the listener
does. Once more after a window of the engine for each hop, as in the daemon, where it finds caches
and code cold; the engine's time does not count.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchaudio
from parts.result import RESULTS, Result, Table, as_markdown
from parts.spread import spread

from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.frontend.fbank import FbankSpec, RollingFbank
from ast_edge.model.bundle import find_bundle, load_bundle

SECONDS, BLOCK, HOP, REPEATS = 30, 1600, 8000, 15


def main() -> None:
    """Print and save milliseconds per second of audio, median with quartiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    args = parser.parse_args()
    torch.set_num_threads(1)
    spec = FbankSpec()
    rng = np.random.default_rng(1)
    audio = (0.1 * rng.standard_normal(SECONDS * spec.sample_rate)).astype(np.float32)

    def rolling(size: int) -> None:
        fbank = RollingFbank(spec)
        for start in range(0, len(audio), size):
            fbank.feed(audio[start : start + size])

    bundle = load_bundle(find_bundle("home"))
    engine = open_engine(bundle, EngineConfig(threads=1))
    window = np.zeros((1, bundle.frames, spec.mel_bins), np.float32)

    def after_engine() -> float:
        fbank, seconds = RollingFbank(spec), 0.0
        for start in range(0, len(audio), HOP):
            engine.run(window)
            started = time.perf_counter()
            fbank.feed(audio[start : start + HOP])
            seconds += time.perf_counter() - started
        return seconds

    def reference() -> None:
        torchaudio.compliance.kaldi.fbank(
            torch.from_numpy(audio)[None],
            num_mel_bins=spec.mel_bins,
            sample_frequency=spec.sample_rate,
            window_type=spec.window,
            dither=0.0,
        )

    sides: dict[str, Callable[[], float]] = {
        "rolling, hops of 500 ms": _timed(lambda: rolling(HOP)),
        "rolling, hops of 500 ms, each after a window of the engine": after_engine,
        "rolling, blocks of 100 ms": _timed(lambda: rolling(BLOCK)),
        "torchaudio, whole file": _timed(reference),
    }
    costs: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(REPEATS):  # interleaved, so that all see the same machine
        for name, work in sides.items():
            costs[name].append(1000 * work() / SECONDS)
    rows = [[name, spread(values, 2)] for name, values in costs.items()]
    note = f"Medians with quartiles of {REPEATS} runs over {SECONDS} s, in turns, on one thread."
    result = Result("The filterbank")
    result.tables.append(Table("Milliseconds per second of sound", ["", "ms"], rows, note))
    path = result.save("front_end", args.results)
    print(as_markdown(result), path, sep="\n")


def _timed(work: Callable[[], None]) -> Callable[[], float]:
    def timed() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return timed


if __name__ == "__main__":
    main()
