"""What keeps a configuration from working, step by step from the microphone to a subscriber."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ast_edge.app.open_source import open_source
from ast_edge.app.plan import Plan, load_plan
from ast_edge.app.source_config import SourceConfig
from ast_edge.audio.stream import Source
from ast_edge.base.errors import AstError, AudioError
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import score_recording
from ast_edge.doctor.broker_check import check_broker
from ast_edge.doctor.finding import Finding
from ast_edge.doctor.first_seconds import FirstSeconds
from ast_edge.engines.choice import ENGINES
from ast_edge.engines.engine import Engine
from ast_edge.engines.open_engines import Engines
from ast_edge.frontend.fbank import LOG_FLOOR
from ast_edge.frontend.listener import Listener
from ast_edge.hub.trial import IDLE, advice, time_engines
from ast_edge.monitoring.remedies import REMEDIES, ailment_of_level, ailment_of_silence


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
    yield Finding("configuration", True, f"{path}: {sources}, {len(plan.reported)} labels")
    engines = Engines(plan.config.engine)
    try:
        engines.open(plan.bundles)
    except AstError as exc:
        yield Finding("engine", False, str(exc), "set engine.name to auto, or install the engine")
        return
    yield from _time(engines, plan)
    for name, config in plan.config.sources.items():
        hearing = plan.hearings[name]
        yield _hear(name, config, hearing, engines[hearing.bundle.folder])
    engines.close()
    if plan.config.mqtt:
        yield from check_broker(plan.config.mqtt, plan)


def _time(engines: Engines, plan: Plan) -> Iterator[Finding]:
    """Score one window for each source, as the daemon does every hop; all bundles take turns."""
    share, texts = 0.0, {}
    for bundle in plan.bundles:
        engine, sources = engines[bundle.folder], plan.sources_of(bundle)
        windows = np.full(
            (len(sources), bundle.frames, bundle.fbank.mel_bins), LOG_FLOOR, np.float32
        )
        hop = min(plan.hearings[name].hop for name in sources)
        engine.run(windows)
        start = time.perf_counter()
        engine.run(windows)
        seconds = time.perf_counter() - start
        share += seconds / hop
        text = f"{engine.description}: {seconds * 1000:.0f} ms of every {hop * 1000:.0f}"
        texts["engine" if len(plan.bundles) == 1 else f"engine of {bundle.name}"] = text
    remedy = "" if share < 0.8 else REMEDIES["slow"]
    for step, text in texts.items():
        yield Finding(step, share < 0.8, text, remedy)
    if share > IDLE:
        yield from _fit(plan)


def _fit(plan: Plan) -> Iterator[Finding]:
    """Time every engine with a model that is not cheap here, and say what fits the machine."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    chosen, sources = plan.config.engine, len(plan.config.sources)
    names = list(ENGINES) if chosen.name == "auto" else [chosen.name]
    for bundle in plan.bundles:
        timings = time_engines(bundle, names, sources, chosen.threads)
        if not timings:
            continue
        each = "; ".join(f"{t.pace.seconds:.2g} s a window: {t.description}" for t in timings)
        if load > cores:
            each += f"; {load:.1f} programs at once on {cores} cores, so these times are too long"
        step = "fits" if len(plan.bundles) == 1 else f"fits {bundle.name}"
        plural = "s" * (sources != 1)
        remedy = f"for {sources} source{plural}: {', '.join(advice(timings))}"
        yield Finding(step, True, each, remedy)


def _hear(name: str, config: SourceConfig, hearing: Hearing, engine: Engine) -> Finding:
    step = f"source {name}"
    if config.stdin is not None:
        return Finding(step, True, "standard input is not read here")
    try:
        heard, bundle = FirstSeconds(_open(name, config), config), hearing.bundle
        listener = Listener(replace(hearing.listening, gate=None, idle_hop=None))
        scores = [clip for _, clip, _ in score_recording(heard, listener, engine)]
    except AudioError as exc:
        return Finding(step, False, str(exc), "`ast-edge devices` lists what there is")
    if not heard.seconds:
        text = f"no sound: {heard.complaint or f'nothing within {heard.patience:.0f} s'}"
        microphone = config.microphone is not None
        remedy = REMEDIES[ailment_of_silence(heard.complaint, microphone=microphone)]
        return Finding(step, False, text, remedy)
    what = "too little sound to score"
    if scores:
        best = np.max(scores, axis=0)
        label = bundle.labels[int(best.argmax())]
        what = f"most likely {label.name} ({best.max():.2f})"
    text = f"{heard.seconds:.1f} s, peak {heard.peak:.0f} dBFS, {what}"
    remedy = ""
    if config.microphone is not None and (ailment := ailment_of_level(heard.peak, config.gain_db)):
        remedy = REMEDIES[ailment]
    # What sound lacks is no failure: it may be all that there is.
    return Finding(step, not remedy, text, remedy or heard.remark)


def _open(name: str, config: SourceConfig) -> Source:
    from ast_edge.sources.devices import find_input, list_inputs

    if config.microphone is not None:
        find_input(config.microphone, list_inputs())  # or it would be waited for
    return open_source(name, config.model_copy(update={"pace": "fast"}))
