"""Measure what a second of sound costs the whole daemon, beside a loop around transformers.

    python benchmarks/stream.py
    python benchmarks/stream.py --size tiny --frames 256 --seconds 4 --rounds 2 --scene-seconds 20

The daemon is that of `ast-edge run`: a recording that is played in real time, the engine, MQTT and
Home Assistant's discovery, with a broker in another process. The recording is at 48 kHz, as
microphones are, so that resampling counts. It runs the bundle `home`, and AST-base with random
weights, once more in int8. The peer is a loop that looks at the last 10.24 s at every hop with
`ASTFeatureExtractor` and `ASTForAudioClassification`, with the weights of that AST-base in float32;
it is given the sound at 16 kHz. The sides take turns, each time in another order. All figures are
CPU time of the whole process.

The scenes are a recording with ten events a minute, and room tone with one every two minutes, once
with every window scored, once with the silence gate, once with an idle hop.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from parts.broker_process import run_broker
from parts.daemon_cost import ENGINE, ORDER, SOURCE, WARM_UP, Costs, cost_of_daemon
from parts.peer import Peer, peer_spec
from parts.quantized import quantized
from parts.result import RESULTS, Plot, Result, Table, as_markdown
from parts.scene import RATE, Sound, busy, quiet
from parts.spread import spread

from ast_edge.audio.stream import Block, Stream
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Engine
from ast_edge.frontend.gate import GateSettings
from ast_edge.frontend.listener import Listener
from ast_edge.frontend.listening import Listening
from ast_edge.model.bundle import Bundle, find_bundle, load_bundle

PEER = "transformers"
HOPS = (0.25, 0.5, 1.0, 2.0)
MICROPHONE_RATE = 48_000
PAUSE = 0.5
"""Seconds before each turn, in which the threads of the one before stop spinning."""
GATE = GateSettings(level=-45)


def main() -> None:
    """Measure all, print the tables and save them."""
    args = _arguments()
    result = Result("What a second of sound costs")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["STATE_DIRECTORY"] = scratch  # nothing is kept, and nothing known of before
        peer = Peer(peer_spec(args.size, args.frames), args.threads)
        base = f"AST-{args.size}"
        home = load_bundle(find_bundle(args.bundle))
        bundles = {home.name: home, base: peer.write_bundle(folder)}
        bundles[f"{base} int8"] = quantized(bundles[base], _windows(bundles[base], busy(60)))
        config = EngineConfig(threads=args.threads)
        engines = {name: open_engine(bundle, config) for name, bundle in bundles.items()}
        window = busy(60)[: peer.samples]
        expected = peer.score(window)
        differences = [
            f"{name} differs from the peer by "
            f"{np.abs(expected - _answer(bundles[name], engines[name], window)).max():.1e}"
            for name in bundles
            if name != home.name
        ]
        sides = [f"{name} by {engine.description}" for name, engine in engines.items()]
        sides.append(
            f"the peer by transformers {version('transformers')}, PyTorch {version('torch')}"
        )
        costs = _race(args, folder, peer, bundles, engines)
        peer_cost = statistics.median(cost["process"] for cost in costs[PEER])
        result.tables = [
            _beside_the_peer(
                costs,
                args,
                f"{'; '.join(sides)}. {' and '.join(differences)} in probability at most.",
            ),
            _by_stage(costs),
            _of_scenes(_scenes(args, bundles, engines), peer_cost, args),
        ]
        result.plots.append(_by_hop(args, bundles, engines, peer_cost))
    path = result.save("stream", args.results)
    print(as_markdown(result), path, sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="home")
    parser.add_argument("--size", choices=["tiny", "small", "base"], default="base")
    parser.add_argument("--frames", type=int, default=1024)
    parser.add_argument("--hop", type=float, default=0.5)
    parser.add_argument("--idle-hop", type=float, help="half of the window unless given")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=20.0, help="of sound in a turn")
    parser.add_argument("--peer-windows", type=int, default=6, help="in a turn")
    parser.add_argument("--scene-seconds", type=float, default=240.0)
    parser.add_argument("--room", type=Path, help="room tone for the quiet scene")
    parser.add_argument("--broker", metavar="HOST:PORT")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def _answer(bundle: Bundle, engine: Engine, sound: Sound) -> Sound:
    """Return the probabilities (labels,) of one window of sound."""
    last = _windows(bundle, sound)[-1]
    silence = bundle.frames - bundle.fbank.frames_in(len(sound))
    last = np.concatenate([last, np.zeros((silence, 128), np.float32)])[-bundle.frames :]
    probabilities: Sound = engine.run(last[np.newaxis]).clip[0]
    return probabilities


def _windows(bundle: Bundle, sound: Sound) -> NDArray[np.float32]:
    stream = Stream(SOURCE, RATE, 1, 0.0, live=False)
    windows = Listener(Listening(bundle.fbank, bundle.frames, 0.5)).feed(
        Block(stream, 0, sound[:, None])
    )
    return np.stack([window.fbank for window in windows])


# In turns


def _race(
    args: argparse.Namespace,
    folder: Path,
    peer: Peer,
    bundles: dict[str, Bundle],
    engines: dict[str, Engine],
) -> dict[str, list[Costs]]:
    """Let all sides listen to the same sound, round after round."""
    sound = busy(WARM_UP + args.seconds + 5)  # the daemon is stopped before its end
    path = folder / "busy.wav"
    soundfile.write(path, soxr.resample(sound, RATE, MICROPHONE_RATE), MICROPHONE_RATE)
    costs: dict[str, list[Costs]] = {name: [] for name in [PEER, *bundles]}
    order = random.Random(0)
    with run_broker(args.broker) as mqtt:
        for _ in range(args.rounds):
            for name in order.sample(list(costs), len(costs)):
                time.sleep(PAUSE)
                if name == PEER:
                    cost = _cost_of_peer(peer, sound, args)
                else:
                    cost = cost_of_daemon(
                        *(bundles[name], engines[name], path, mqtt),
                        hop=args.hop,
                        seconds=args.seconds,
                    )
                costs[name].append(cost)
    return costs


def _cost_of_peer(peer: Peer, sound: Sound, args: argparse.Namespace) -> Costs:
    hop = round(args.hop * RATE)
    sound = np.concatenate([np.zeros(peer.samples, np.float32), sound])
    started = time.process_time()
    for number in range(1, args.peer_windows + 1):
        peer.score(sound[number * hop : number * hop + peer.samples])
    return {"process": (time.process_time() - started) / args.peer_windows / args.hop}


# Scenes


def _scenes(
    args: argparse.Namespace, bundles: dict[str, Bundle], engines: dict[str, Engine]
) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return the share of skipped windows and the cost by bundle, scene and setting."""
    sounds = {
        "busy": busy(args.scene_seconds),
        "quiet": quiet(args.scene_seconds, args.room),
    }
    found = {}
    for name, bundle in bundles.items():
        idle_hop = args.idle_hop or args.hop * max(2, bundle.window_seconds / 2 // args.hop)
        settings: dict[str, tuple[GateSettings | None, float | None]] = {
            "every window": (None, None),
            f"gate at {GATE.level:g} dBFS": (GATE, None),
            f"idle hop {idle_hop:g} s": (None, idle_hop),
        }
        for scene, sound in sounds.items():
            for setting, (gate, idle) in settings.items():
                pipeline = Pipeline(
                    SOURCE, Hearing(bundle, bundle.settings, args.hop, gate=gate, idle_hop=idle)
                )
                found[name, scene, setting] = _listen(pipeline, engines[name], sound)
    return found


def _listen(pipeline: Pipeline, engine: Engine, sound: Sound) -> tuple[float, float]:
    """Return the share of skipped windows, and CPU seconds per second of sound."""
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


def _by_hop(
    args: argparse.Namespace, bundles: dict[str, Bundle], engines: dict[str, Engine], peer: float
) -> Plot:
    """Measure every window of the busy sound at several hops; the peer's cost is one look's."""
    series = {PEER: [(hop, peer * args.hop / hop) for hop in HOPS]}
    sound = busy(max(args.scene_seconds / 4, 4 * HOPS[-1]))
    for name, bundle in bundles.items():
        for hop in HOPS:
            pipeline = Pipeline(SOURCE, Hearing(bundle, bundle.settings, hop))
            cost = _listen(pipeline, engines[name], sound)[1]
            series.setdefault(name, []).append((hop, cost))
    return Plot("CPU by hop", "hop, s", "CPU s per s of sound", series, logarithmic=True)


# Tables


def _beside_the_peer(costs: dict[str, list[Costs]], args: argparse.Namespace, sides: str) -> Table:
    rows = []
    for name, found in costs.items():
        totals = [cost["process"] for cost in found]
        ratios = [p["process"] / total for p, total in zip(costs[PEER], totals, strict=True)]
        outside = [sum(_stages(cost).values()) - cost[ENGINE] for cost in found if ENGINE in cost]
        rows.append(
            [
                name,
                spread(totals, 3),
                spread(ratios, 2) if name != PEER else "1",
                spread([100 * value for value in outside], 2) if outside else "",
                f"{args.hop * max(c['dropped'] for c in found):.0%}" if name != PEER else "",
            ]
        )
    return Table(
        f"CPU seconds per second of sound, hop {args.hop:g} s",
        [
            *("side", "CPU s / s", "times cheaper than the peer"),
            *("outside the engine, % of a core", "windows dropped"),
        ],
        rows,
        f"Medians with quartiles of {args.rounds} turns; the ratios are those of one round. A "
        "side that drops windows is not real time, and would cost more. The peer looks at "
        f"{args.frames / 100:g} s with AST-{args.size}. Goals for AST-base: 4 times "
        f"cheaper, then 8; outside the engine 3 %. {sides}",
    )


def _stages(cost: Costs) -> Costs:
    return {stage: seconds for stage, seconds in cost.items() if stage in ORDER}


def _by_stage(costs: dict[str, list[Costs]]) -> Table:
    daemons = {name: found for name, found in costs.items() if name != PEER}
    rows = [
        [name, *(spread([1000 * c.get(stage, 0) for c in f], 2) for f in daemons.values())]
        for stage, name in [*zip(ORDER, ORDER, strict=True), ("process", "**whole process**")]
    ]
    accounted = [
        f"{100 * statistics.median(sum(_stages(c).values()) / c['process'] for c in f):.1f} %"
        for f in daemons.values()
    ]
    return Table(
        "By stage: CPU milliseconds per second of sound",
        ["stage", *daemons],
        [*rows, ["stages, share of the process", *accounted]],
        "Medians with quartiles. The engine is all that the process does while it runs; what the "
        "stages lack are its threads that wait for the next window. Goal: 1 ms for the fbank.",
    )


def _of_scenes(
    scenes: dict[tuple[str, str, str], tuple[float, float]], peer: float, args: argparse.Namespace
) -> Table:
    rows = [
        [*key, f"{share:.0%}", f"{cost:.3f}", f"{peer / cost:.1f}"]
        for key, (share, cost) in scenes.items()
    ]
    return Table(
        f"Busy and quiet sound ({args.scene_seconds:g} s each)",
        ["model", "sound", "setting", "windows skipped", "CPU s / s", "times cheaper"],
        rows,
        "Listener, engine and tracker, without reading and messages; beside the peer of above, "
        "which looks at every window.",
    )


if __name__ == "__main__":
    main()
