"""Measure the cost of the rolling filterbank beside torchaudio's batch function, in one run.

python benchmarks/front_end.py
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
import torchaudio

from ast_edge.fbank import FbankSpec, RollingFbank

SECONDS, BLOCK, REPEATS = 30, 1600, 15


def main() -> None:
    """Print milliseconds per second of audio, median with minimum and maximum."""
    torch.set_num_threads(1)
    spec = FbankSpec()
    rng = np.random.default_rng(1)
    audio = (0.1 * rng.standard_normal(SECONDS * spec.sample_rate)).astype(np.float32)

    def rolling() -> None:
        fbank = RollingFbank(spec)
        for start in range(0, len(audio), BLOCK):
            fbank.feed(audio[start : start + BLOCK])

    def reference() -> None:
        torchaudio.compliance.kaldi.fbank(
            torch.from_numpy(audio)[None],
            num_mel_bins=spec.mel_bins,
            sample_frequency=spec.sample_rate,
            window_type=spec.window,
            dither=0.0,
        )

    costs: dict[str, list[float]] = {"rolling, 100 ms blocks": [], "torchaudio, whole file": []}
    for _ in range(REPEATS):  # interleaved, so that both see the same machine
        for name, work in zip(costs, (rolling, reference), strict=True):
            costs[name].append(_cost(work))
    for name, values in costs.items():
        print(
            f"{name:24s} {statistics.median(values):.3f} ms per second of audio "
            f"({min(values):.3f} to {max(values):.3f}, {REPEATS} runs, 1 thread)"
        )


def _cost(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started) / SECONDS


if __name__ == "__main__":
    main()
