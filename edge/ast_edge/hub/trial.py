"""What a window costs on this machine, and how often it can be looked at for that."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from ast_edge.base.errors import EngineError
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
"""Shares of the time that one source may take while it sounds, and while nothing does."""


@dataclass(frozen=True)
class Pace:
    """How often one source can be looked at."""

    seconds: float
    """Of one window, in the middle of a few."""
    hop: float | None
    """None if the machine is too slow for any that leaves no sound unheard."""
    idle_hop: float | None
    """None if that of `hop` is cheap enough."""


@dataclass(frozen=True)
class Timing:
    """What a window costs in one engine."""

    engine: str
    description: str
    pace: Pace


def time_engines(bundle: Bundle, names: Sequence[str]) -> list[Timing]:
    """Time a window in each of these engines that works here, in this order."""
    timings = []
    for name in names:
        try:
            engine = open_engine(bundle, EngineConfig.model_validate({"name": name}))
        except EngineError as exc:
            log.debug("%s", exc)
            continue
        try:
            pace = suggest_pace(measure(engine, bundle), bundle.window_seconds)
            timings.append(Timing(name, engine.description, pace))
        finally:
            engine.close()
    return timings


def fastest(timings: Sequence[Timing]) -> Timing:
    """Return the engine in which a window takes the shortest time."""
    return min(timings, key=lambda timing: timing.pace.seconds)


def advice(timings: Sequence[Timing]) -> list[str]:
    """Return lines of a configuration for one source, or why there can be none."""
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
        lines.append(f"engine: {{name: {best.engine}}}")
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


def suggest_pace(seconds: float, window: float) -> Pace:
    """Choose hops for a window that takes so many seconds to compute, and lasts so many."""
    longest = math.floor(min(window, LONGEST) * 10) / 10
    hop = max(min(SHORTEST, longest), _up(seconds / BUSY))
    if hop > longest:
        return Pace(seconds, None, None)
    idle = min(_up(seconds / IDLE), longest)
    return Pace(seconds, hop, idle if idle > hop else None)


def _up(seconds: float) -> float:
    """Round up to tenths of a second."""
    return math.ceil(seconds * 10 - 1e-9) / 10
