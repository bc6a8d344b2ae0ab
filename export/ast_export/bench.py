"""Speed of a bundle in every engine of this machine: latency, throughput, share of the peak."""

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import EngineError
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Engine
from ast_edge.model.bundle import Bundle
from ast_export.flops import count_flops
from ast_export.peak import PEAK_FLOPS, peak_windows, write_peak

PRECISIONS = tuple(
    name for name in get_args(EngineConfig.model_fields["precision"].annotation) if name != "auto"
)
BURST = 4
"""Timed runs in a turn, after one that is not."""
FEWEST, MOST = 2, 100
"""Turns of every engine per batch size."""
PEAK_RUNS, PEAK_SECONDS, PEAK_BATCH = 2, 0.02, 64
"""Of the products: timed runs in a turn; what the batch grows for a run to take; its limit."""

Clock = Callable[[], float]


@dataclass(frozen=True)
class Contender:
    """An engine in one precision, and the device's peak in both."""

    engine: str
    precision: str
    description: str
    """The engine's own: library, version, precision, threads."""
    peak: float
    """FLOP per second of plain matrix products, the best of all runs."""

    @property
    def name(self) -> str:
        """Both in short: "openvino bf16"."""
        return f"{self.engine} {self.precision}"


@dataclass(frozen=True)
class Latency:
    """How long one engine took for one batch size, run by run."""

    contender: Contender
    batch: int
    seconds: tuple[float, ...]
    flops: int
    """Of one window."""

    def percentile(self, percent: int) -> float | None:
        """Return seconds; None where so few runs cannot tell it from their maximum."""
        if len(self.seconds) * (100 - percent) < 100:
            return None
        return float(np.percentile(self.seconds, percent))

    @property
    def windows_per_second(self) -> float:
        """Throughput of one batch after the other."""
        return self.batch * len(self.seconds) / sum(self.seconds)

    @property
    def flops_per_second(self) -> float:
        """Useful operations: those of the graph, whatever the engine makes of it."""
        return self.windows_per_second * self.flops

    @property
    def share(self) -> float:
        """Part of the peak that this device showed in the same engine and precision."""
        return self.flops_per_second / self.contender.peak


@dataclass(frozen=True)
class Benchmark:
    """What was measured, by batch size and then in the order of the engines."""

    flops: int
    """Of one window."""
    latencies: tuple[Latency, ...]
    left_out: tuple[int, ...]
    """Batch sizes for which there was no time."""
    unavailable: tuple[str, ...]
    """Why the other engines do not run here."""

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Those that were measured."""
        return tuple(dict.fromkeys(latency.contender for latency in self.latencies))


def measure_speed(
    bundle: Bundle,
    *,
    engines: Sequence[str],
    batches: Sequence[int],
    threads: int = 0,
    seconds: float = 60.0,
    clock: Clock = time.perf_counter,
    on_batch: Callable[[int], None] = lambda batch: None,
) -> Benchmark:
    """Time a bundle in turns, so that all engines see the same machine, for about `seconds`.

    Opening the engines is not part of that time. A batch size whose fewest turns would not fit is
    left out with all larger ones; the smallest is always measured. `on_batch` is told each size.

    Raises:
        EngineError: if no engine runs the bundle here.
        BundleError: if its FLOP cannot be counted.
    """
    flops = count_flops(bundle.onnx)
    batches = sorted(set(batches))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        products = write_peak(Path(folder), bundle.precision)
        runners: list[_Runner] = []
        refusals = dict[str, str]()
        for engine, precision in product(engines, PRECISIONS):
            config = EngineConfig.model_validate(
                {"name": engine, "precision": precision, "threads": threads}
            )
            try:
                model = opened.enter_context(closing(open_engine(bundle, config)))
                peak = opened.enter_context(closing(open_engine(products, config)))
            except EngineError as exc:
                refusals[engine] = str(exc).removeprefix(engine + ": ")
                continue
            if any((r.model.name, r.model.precision) == (engine, model.precision) for r in runners):
                continue  # it cannot compute in the precision that was asked for
            runners.append(_Runner(model, peak, clock))
        run = {runner.model.name for runner in runners}
        unavailable = [f"{name}: {why}" for name, why in refusals.items() if name not in run]
        if not runners:
            raise EngineError("; ".join(unavailable))
        left_out = _take_turns(runners, bundle, batches, clock() + seconds, on_batch)
    contenders = [runner.contender for runner in runners]
    return Benchmark(
        flops=flops,
        latencies=tuple(
            Latency(contender, batch, tuple(runner.seconds[batch]), flops)
            for batch in batches[: len(batches) - len(left_out)]
            for runner, contender in zip(runners, contenders, strict=True)
        ),
        left_out=left_out,
        unavailable=tuple(unavailable),
    )


def _take_turns(
    runners: list["_Runner"],
    bundle: Bundle,
    batches: list[int],
    deadline: float,
    on_batch: Callable[[int], None],
) -> tuple[int, ...]:
    """Time all batch sizes, and return those for which there was no time."""
    clock, order = runners[0].clock, random.Random(0)
    rng, member = np.random.default_rng(0), bundle.members[0]
    peak = window = 0.0  # seconds: a turn of all engines at the products, at one window
    for number, batch in enumerate(batches):
        started = clock()
        if number and started + peak + FEWEST * window * batch > deadline:
            return tuple(batches[number:])
        on_batch(batch)
        for runner in runners:
            runner.time_products()
        peak = clock() - started
        shape = (batch, bundle.frames, bundle.fbank.mel_bins)
        windows = rng.normal(member.mean, member.std, shape).astype(np.float32)
        share = clock() + (deadline - clock()) / (len(batches) - number)
        for turns in range(1, MOST + 1):
            for runner in order.sample(runners, len(runners)):
                runner.time_model(windows)
            if clock() >= (share if turns >= FEWEST else deadline):
                break
        runs = sum(runner.seconds[batch][-1] for runner in runners)
        window = (1 + BURST) * runs / batch
    return ()


class _Runner:
    """An open engine, and how long its runs took so far."""

    def __init__(self, model: Engine, products: Engine, clock: Clock) -> None:
        self.model, self.clock = model, clock
        self.seconds: dict[int, list[float]] = {}
        """By batch size."""
        self._products = products
        self._peak = 0.0
        self._windows = peak_windows(1)
        while len(self._windows) < PEAK_BATCH:
            products.run(self._windows)  # the first run of a shape may compile
            if self._time(products, self._windows) >= PEAK_SECONDS:
                break
            self._windows = peak_windows(2 * len(self._windows))

    @property
    def contender(self) -> Contender:
        model = self.model
        return Contender(model.name, model.precision, model.description, self._peak)

    def time_products(self) -> None:
        for seconds in self._turn(self._products, self._windows, PEAK_RUNS):
            self._peak = max(self._peak, PEAK_FLOPS * len(self._windows) / seconds)

    def time_model(self, windows: NDArray[np.float32]) -> None:
        self.seconds.setdefault(len(windows), []).extend(self._turn(self.model, windows, BURST))

    def _turn(self, engine: Engine, windows: NDArray[np.float32], runs: int) -> list[float]:
        engine.run(windows)
        return [self._time(engine, windows) for _ in range(runs)]

    def _time(self, engine: Engine, windows: NDArray[np.float32]) -> float:
        started = self.clock()
        engine.run(windows)
        return self.clock() - started
