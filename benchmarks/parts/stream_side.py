"""One side of `benchmarks/stream.py`: what listens, for a turn in a process of its own."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.stream import Block, Stream
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Engine
from ast_edge.frontend.gate import GateSettings
from ast_edge.frontend.listener import Listener
from ast_edge.frontend.listening import Listening
from ast_edge.model.bundle import Bundle, load_bundle
from ast_edge.mqtt.config import MqttConfig
from parts.daemon.daemon_cost import SOURCE, Costs, cost_of_daemon
from parts.quiet import Quiet, Watch
from parts.scene import RATE, Sound, busy

Setting = tuple[float, GateSettings | None, float | None]
"""Hop, silence gate and idle hop."""


def prepare(size: str, frames: int, folder: Path) -> tuple[Path, Path]:
    """Export the peer's network, as it is and in int8; return the folders of the bundles."""
    from parts.described import write_description
    from parts.peer import Peer, peer_spec
    from parts.quantized import quantized

    folder.mkdir()
    bundle = Peer(peer_spec(size, frames), 1).write_bundle(folder)
    write_description(bundle)
    whole = quantized(bundle, _windows(bundle, busy(60)))
    write_description(whole)
    return folder, whole.folder


def peer_turn(size: str, frames: int, threads: int, hop: float, looks: int) -> tuple[float, Quiet]:
    """Let the peer look so often; return its CPU seconds for one look, and how quiet it was."""
    from parts.peer import Peer, peer_spec

    peer, step = Peer(peer_spec(size, frames), threads), round(hop * RATE)
    sound = np.concatenate([np.zeros(peer.samples, np.float32), busy((looks + 1) * hop)])
    peer.score(sound)
    watch = Watch()
    with watch.running():
        for number in range(1, looks + 1):
            peer.score(sound[number * step : number * step + peer.samples])
    return watch.found.own / looks, watch.found


def daemon_turn(
    folder: Path, threads: int, path: Path, mqtt: MqttConfig, hop: float, seconds: float
) -> Costs:
    """Run the daemon on a recording; see `cost_of_daemon`."""
    bundle, engine = _opened(folder, threads)
    return cost_of_daemon(bundle, engine, path, mqtt, hop=hop, seconds=seconds)


def peer_answer(size: str, frames: int, sound: Sound) -> Sound:
    """Return what the peer says (labels,) of the last window of a sound."""
    from parts.peer import Peer, peer_spec

    return Peer(peer_spec(size, frames), 1).score(sound)


def answer(folder: Path, threads: int, sound: Sound) -> tuple[str, Sound]:
    """Return what an engine calls itself, and what it says (labels,) of the same."""
    bundle, engine = _opened(folder, threads)
    last = _windows(bundle, sound)[-1]
    silence = max(0, bundle.frames - bundle.fbank.frames_in(len(sound)))
    last = np.concatenate([last, np.zeros((silence, 128), np.float32)])[-bundle.frames :]
    probabilities: Sound = engine.run(last[np.newaxis]).clip[0]
    return engine.description, probabilities


def listen(
    folder: Path, threads: int, sounds: Sequence[Sound], settings: Sequence[Setting]
) -> list[list[tuple[float, float]]]:
    """Listen to sounds without a daemon, for each in each setting.

    Returns the share of skipped windows, and CPU seconds per second of sound.
    """
    bundle, engine = _opened(folder, threads)
    return [[_listened(bundle, engine, sound, one) for one in settings] for sound in sounds]


def _opened(folder: Path, threads: int) -> tuple[Bundle, Engine]:
    bundle = load_bundle(folder)
    return bundle, open_engine(bundle, EngineConfig(threads=threads))


def _windows(bundle: Bundle, sound: Sound) -> NDArray[np.float32]:
    stream = Stream(SOURCE, RATE, 1, 0.0, live=False)
    windows = Listener(Listening(bundle.fbank, bundle.frames, 0.5)).feed(
        Block(stream, 0, sound[:, None])
    )
    return np.stack([window.fbank for window in windows])


def _listened(
    bundle: Bundle, engine: Engine, sound: Sound, setting: Setting
) -> tuple[float, float]:
    hop, gate, idle_hop = setting
    hearing = Hearing(bundle, bundle.settings, hop, gate=gate, idle_hop=idle_hop)
    pipeline = Pipeline(SOURCE, hearing)
    stream, block = Stream(SOURCE, RATE, 1, 0.0, live=False), RATE // 10
    windows = skipped = 0
    started = time.process_time()
    for start in range(0, len(sound), block):
        for window in pipeline.feed(Block(stream, start, sound[start : start + block, None])):
            windows += 1
            if pipeline.may_skip(window):
                skipped += 1
                pipeline.skip(window)
            else:
                pipeline.score(window, *next(engine.run(window.fbank[np.newaxis]).each()))
    return skipped / windows, (time.process_time() - started) / len(sound) * RATE
