"""What keeps a configuration from working, step by step from the microphone to a subscriber."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ast_edge.audio import Block, Source
from ast_edge.broker_check import check_broker
from ast_edge.engine import Engine, open_engine
from ast_edge.errors import AstError, AudioError
from ast_edge.fbank import LOG_FLOOR
from ast_edge.finding import Finding
from ast_edge.level import FLOOR_DBFS, measure
from ast_edge.listener import Listener
from ast_edge.pipeline import score_recording
from ast_edge.plan import Plan, load_plan
from ast_edge.source_config import SourceConfig
from ast_edge.sources import open_source

LISTEN_SECONDS = 3.0
"""Sound that is heard of each source."""
START_SECONDS = 10.0
"""Time that a microphone has to deliver the first of it."""
CLIPPING_DBFS = -0.1
QUIET_DBFS = -75.0
"""Below any room: a microphone that is muted, or not plugged into its socket."""


def examine(path: Path) -> Iterator[Finding]:
    """Go through a configuration and say of each step whether it works.

    Later steps that need an earlier one are left out when that has failed.
    """
    try:
        plan = load_plan(path)
    except AstError as exc:
        yield Finding("configuration", False, str(exc), "mend the file; `ast-edge check` helps")
        return
    sources = ", ".join(plan.config.sources)
    yield Finding("configuration", True, f"{path}: {sources}, {len(plan.settings)} labels")
    try:
        engine = open_engine(plan.bundle, plan.config.engine)
    except AstError as exc:
        yield Finding("engine", False, str(exc), "set engine.name to auto, or install the engine")
        return
    yield _time(engine, plan)
    for name, config in plan.config.sources.items():
        yield _hear(name, config, plan, engine)
    engine.close()
    if plan.config.mqtt:
        yield from check_broker(plan.config.mqtt, plan)


def _time(engine: Engine, plan: Plan) -> Finding:
    """Score one window for each source, as the daemon does every hop."""
    shape = (len(plan.config.sources), plan.bundle.frames, plan.bundle.fbank.mel_bins)
    windows = np.full(shape, LOG_FLOOR, np.float32)
    hop = min(plan.hearing(name).hop for name in plan.config.sources)
    engine.run(windows)
    start = time.perf_counter()
    engine.run(windows)
    seconds = time.perf_counter() - start
    text = f"{engine.description}: {seconds * 1000:.0f} ms of every {hop * 1000:.0f}"
    remedy = "use a longer hop, a smaller bundle, fewer sources or more threads"
    return Finding("engine", seconds < 0.8 * hop, text, "" if seconds < 0.8 * hop else remedy)


def _hear(name: str, config: SourceConfig, plan: Plan, engine: Engine) -> Finding:
    step = f"source {name}"
    if config.stdin is not None:
        return Finding(step, True, "standard input is not read here")
    try:
        heard = _Heard(_open(name, config))
        listener = Listener(plan.bundle.fbank, plan.bundle.frames, plan.hearing(name).hop)
        scores = [clip for _, clip, _ in score_recording(heard, listener, engine)]
    except AudioError as exc:
        return Finding(step, False, str(exc), "`ast-edge devices` lists what there is")
    if not heard.seconds:
        remedy = "is another program using it? `ast-edge listen` shows more"
        return Finding(step, False, f"no sound within {START_SECONDS:.0f} s", remedy)
    what = "too little sound to score"
    if scores:
        best = np.max(scores, axis=0)
        label = plan.bundle.labels[int(best.argmax())]
        what = f"most likely {label.name} ({best.max():.2f})"
    text = f"{heard.seconds:.1f} s, peak {heard.peak:.0f} dBFS, {what}"
    remedy = ""
    if config.microphone is not None and heard.peak <= FLOOR_DBFS:
        remedy = "it delivers nothing but zeros: is it muted, or the wrong device?"
    elif config.microphone is not None and heard.peak < QUIET_DBFS:
        remedy = "it is quieter than any room: raise its capture volume (`alsamixer`)"
    elif config.microphone is not None and heard.peak >= CLIPPING_DBFS:
        remedy = "it clips: lower its capture volume (`alsamixer`)"
    return Finding(step, not remedy, text, remedy)


def _open(name: str, config: SourceConfig) -> Source:
    from ast_edge.devices import find_input, list_inputs

    if config.microphone is not None:
        find_input(config.microphone, list_inputs())  # or it would be waited for
    return open_source(name, config.model_copy(update={"pace": "fast"}))


class _Heard:
    """The first seconds of a source, as a source of its own."""

    def __init__(self, source: Source) -> None:
        self.name, self._source = source.name, source
        self.seconds = 0.0
        self.peak = FLOOR_DBFS

    def blocks(self) -> Iterator[Block]:
        """Yield blocks until enough is heard or the time is up."""
        end = threading.Timer(START_SECONDS + LISTEN_SECONDS, self._source.close)
        end.start()
        try:
            for block in self._source.blocks():
                self.seconds += len(block.samples) / block.stream.sample_rate
                self.peak = max(self.peak, measure(block.samples).peak)
                yield block
                if self.seconds >= LISTEN_SECONDS:
                    return
        finally:
            end.cancel()
            self._source.close()

    def close(self) -> None:
        """End early."""
        self._source.close()
