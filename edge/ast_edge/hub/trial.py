"""What a window costs on this machine, and how often it can be looked at for that."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median

import numpy as np

from ast_edge.base.errors import EngineError
from ast_edge.engines.agreement import LIMITS, compare
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Engine
from ast_edge.frontend.fbank import LOG_FLOOR
from ast_edge.model.bundle import Bundle

log = logging.getLogger(__name__)

ROUNDS = 3
SHORTEST, LONGEST = 0.5, 10.0
"""Seconds of a hop: that of a configuration without one, and the longest that it may have."""
BUSY, IDLE = 0.5, 0.1
"""Shares of the time that sources may take while they sound, and while nothing does."""
CALM = 0.25
"""Share of the time that one thread may take to do without the others, which cost more than they
save: of `home` on two cores with AVX2 a fifth of the CPU time."""


@dataclass(frozen=True)
class Pace:
    """How often sources can be looked at."""

    seconds: float
    """Of one window, in the middle of a few."""
    hop: float | None
    """None if the machine is too slow for any that leaves no sound unheard."""
    idle_hop: float | None
    """None if that of `hop` is cheap enough."""


@dataclass(frozen=True)
class Timing:
    """What a window costs in one engine."""

    engine: EngineConfig
    description: str
    pace: Pace


def time_engines(
    bundle: Bundle, names: Sequence[str], sources: int = 1, threads: int = 0
) -> list[Timing]:
    """Time a window in each of these engines that works here, in this order.

    OpenVINO is also tried in fp16 and on a GPU, where there is either and the scores stay what they
    are. The pace is that of so many sources.
    """
    timings = list[Timing]()
    for way in _ways(names):
        config = way.model_copy(update={"threads": threads})
        try:
            engine = open_engine(bundle, config)
        except EngineError as exc:
            log.debug("%s", exc)
            continue
        try:
            if config.precision == "fp16" and not compare(engine, bundle, LIMITS["fp16"], 2).holds:
                continue
            if engine.description in [timing.description for timing in timings]:
                continue  # it fell back
            pace = suggest_pace(measure(engine, bundle), bundle.window_seconds, sources)
            timings.append(Timing(config, engine.description, pace))
        finally:
            engine.close()
    return timings


def with_one_thread(bundle: Bundle, timing: Timing, hop: float) -> Timing | None:
    """Time the same engine with one thread; None if that is too slow, or it has no threads."""
    if timing.pace.seconds > CALM * hop:  # with all of them
        return None
    config = timing.engine.model_copy(update={"threads": 1})
    try:
        engine = open_engine(bundle, config)
    except EngineError as exc:
        log.debug("%s", exc)
        return None
    try:
        if engine.description == timing.description:  # a GPU, or a single core
            return None
        pace = suggest_pace(measure(engine, bundle), bundle.window_seconds)
    finally:
        engine.close()
    return Timing(config, engine.description, pace) if pace.seconds <= CALM * hop else None


def _ways(names: Sequence[str]) -> Iterator[EngineConfig]:
    """Yield the settings of engines that may be worth a try."""
    for name in names:
        yield EngineConfig.model_validate({"name": name})
        if name == "openvino" and find_spec("openvino"):
            from ast_edge.engines.openvino import shared_core

            native = shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            if "FP16" in native and "BF16" not in native:  # as on a Raspberry Pi 5
                yield EngineConfig(name="openvino", precision="fp16")
            if any(device.startswith("GPU") for device in shared_core().available_devices):
                yield EngineConfig(name="openvino", device="gpu")


def fastest(timings: Sequence[Timing]) -> Timing:
    """Return the engine in which a window takes the shortest time."""
    return min(timings, key=lambda timing: timing.pace.seconds)


def advice(timings: Sequence[Timing]) -> list[str]:
    """Return lines of a configuration, or why there can be none."""
    best = fastest(timings)
    if best.pace.hop is None:
        return [
            f"too slow here to listen all the time ({best.pace.seconds:.2g} s a window): try "
            "another --precision, or a smaller model"
        ]
    lines = [f"hop: {best.pace.hop:g}"]
    if best.pace.idle_hop:
        lines.append(f"idle_hop: {best.pace.idle_hop:g}")
    if best is not timings[0]:  # the first one is what runs without being named
        chosen = best.engine.model_dump(exclude_defaults=True)
        lines.append(f"engine: {{{', '.join(f'{key}: {chosen[key]}' for key in chosen)}}}")
    return lines


def measure(
    engine: Engine, bundle: Bundle, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the seconds that one window takes: the middle of a few, after one that warms up."""
    window = np.full((1, bundle.frames, bundle.fbank.mel_bins), LOG_FLOOR, np.float32)
    engine.run(window)
    times = []
    for _ in range(ROUNDS):
        began = clock()
        engine.run(window)
        times.append(clock() - began)
    return median(times)


def suggest_pace(seconds: float, window: float, sources: int = 1) -> Pace:
    """Choose hops for a window that takes so many seconds to compute, and lasts so many."""
    longest = math.floor(min(window, LONGEST) * 10) / 10
    hop = max(min(SHORTEST, longest), _up(sources * seconds / BUSY))
    if hop > longest:
        return Pace(seconds, None, None)
    idle = min(_up(sources * seconds / IDLE), longest)
    return Pace(seconds, hop, idle if idle > hop else None)


def _up(seconds: float) -> float:
    """Round up to tenths of a second."""
    return math.ceil(seconds * 10 - 1e-9) / 10
