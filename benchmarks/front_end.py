"""Measure the cost of the rolling filterbank beside torchaudio's batch function, in one run.

    python benchmarks/front_end.py

Each on one thread; the rolling one is fed in blocks of 100 ms, and a hop at once, as the listener
does.
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

from ast_edge.frontend.fbank import FbankSpec, RollingFbank

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

    def reference() -> None:
        torchaudio.compliance.kaldi.fbank(
            torch.from_numpy(audio)[None],
            num_mel_bins=spec.mel_bins,
            sample_frequency=spec.sample_rate,
            window_type=spec.window,
            dither=0.0,
        )

    sides: dict[str, Callable[[], None]] = {
        "rolling, hops of 500 ms": lambda: rolling(HOP),
        "rolling, blocks of 100 ms": lambda: rolling(BLOCK),
        "torchaudio, whole file": reference,
    }
    costs: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(REPEATS):  # interleaved, so that all see the same machine
        for name, work in sides.items():
            costs[name].append(_cost(work))
    rows = [[name, spread(values, 2)] for name, values in costs.items()]
    note = f"Medians with quartiles of {REPEATS} runs over {SECONDS} s, in turns, on one thread."
    result = Result("The filterbank")
    result.tables.append(Table("Milliseconds per second of sound", ["", "ms"], rows, note))
    path = result.save("front_end", args.results)
    print(as_markdown(result), path, sep="\n")


def _cost(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started) / SECONDS


if __name__ == "__main__":
    main()
