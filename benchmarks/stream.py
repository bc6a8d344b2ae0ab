"""Measure what a second of sound costs the whole daemon, beside a loop around transformers.

    python benchmarks/stream.py
    python benchmarks/stream.py --size tiny --frames 256 --seconds 4 --rounds 2 --scene-seconds 20

The daemon is that of `ast-edge run`: a recording that is played in real time, the engine, MQTT and
Home Assistant's discovery, with a broker in another process. The recording is at 48 kHz, as
microphones are, so that resampling counts. It runs the bundle `home`, and AST-base with random
weights, once more in int8. The peer is a loop that looks at the last 10.24 s at every hop with
`ASTFeatureExtractor` and `ASTForAudioClassification`, with the weights of that AST-base in float32;
it is given the sound at 16 kHz. The sides take turns, each time in another order and each in a
process of its own, in which threads that wait sleep. All figures are CPU time of the whole process.
The ratios are marked as not comparable if the machine was not quiet, if the peer's threads cost it
more than one thread would, or if PyTorch's large products do not reach the machine's peak.

The scenes are a recording with ten events a minute, and room tone with one every two minutes, once
with every window scored, once with the silence gate, once with an idle hop.
"""

import argparse
import os
import random
import statistics
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
import soxr
from parts.apart import ONE_BLAS, SLEEP, apart
from parts.comparable import Reach, doubts
from parts.daemon.broker_process import run_broker
from parts.daemon.daemon_cost import ENGINE, ORDER, WARM_UP, Costs
from parts.networks import write_peaks
from parts.quiet import Quiet, together
from parts.result import RESULTS, Plot, Result, Table, as_markdown
from parts.scene import RATE, busy, quiet
from parts.spread import spread
from parts.stream_side import Setting, answer, daemon_turn, listen, peer_answer, peer_turn, prepare
from parts.window_side import Side, in_turn

from ast_edge.frontend.gate import GateSettings
from ast_edge.model.bundle import find_bundle, load_bundle

PEER = "transformers"
HOPS = (0.5, 1.0, 2.0, 4.0)
"""Of the curve, by the hop of the tables."""
MICROPHONE_RATE = 48_000
GATE = GateSettings(level=-45)

Folders = dict[str, Path]
"""Of the bundles, by their names in the tables."""


@dataclass
class Race:
    """What the sides have cost, turn by turn."""

    costs: dict[str, list[Costs]]
    alone: list[float]
    """CPU seconds per second of sound of the peer with one thread."""
    quiets: list[Quiet]
    """Of the peer's turns."""


def main() -> None:
    """Measure all, print the tables and save them."""
    args = _arguments()
    result = Result("What a second of sound costs")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["STATE_DIRECTORY"] = scratch  # nothing is kept, and nothing known of before
        base, home = f"AST-{args.size}", find_bundle(args.bundle)
        plain, whole = apart({}, prepare, args.size, args.frames, folder / "bundle")
        folders = {load_bundle(home).name: home, base: plain, f"{base} int8": whole}
        sides = _sides(args, folders, base)
        race = _race(args, folder, folders)
        doubted = _doubts(args, race, folder)
        peer_cost = statistics.median(cost["process"] for cost in race.costs[PEER])
        result.tables = [
            _beside_the_peer(race.costs, args, sides, doubted),
            _by_stage(race.costs),
            _of_scenes(_scenes(args, folders), peer_cost, args, doubted),
        ]
        result.plots.append(_by_hop(args, folders, peer_cost))
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


def _sides(args: argparse.Namespace, folders: Folders, base: str) -> str:
    """Say what all sides are, and how far our answers are from the peer's."""
    window = busy(60)[: RATE * args.frames // 100]
    expected = apart({}, peer_answer, args.size, args.frames, window)
    sides, differences = [], []
    for name, folder in folders.items():
        described, found = apart(ONE_BLAS, answer, folder, args.threads, window)
        sides.append(f"{name} by {described}")
        if name.startswith(base):
            difference = np.abs(expected - found).max()
            differences.append(f"{name} differs from the peer by {difference:.1e}")
    sides.append(f"the peer by transformers {version('transformers')}, PyTorch {version('torch')}")
    return f"{'; '.join(sides)}. {' and '.join(differences)} in probability at most."


# In turns


def _race(args: argparse.Namespace, folder: Path, folders: Folders) -> Race:
    """Let all sides listen to the same sound, round after round."""
    sound = busy(WARM_UP + args.seconds + 5)  # the daemon is stopped before its end
    path = folder / "busy.wav"
    soundfile.write(path, soxr.resample(sound, RATE, MICROPHONE_RATE), MICROPHONE_RATE)
    race = Race({name: [] for name in [PEER, *folders]}, [], [])
    order = random.Random(0)
    with run_broker(args.broker) as mqtt:
        for _ in range(args.rounds):
            for name in order.sample(list(race.costs), len(race.costs)):
                if name == PEER:
                    cost = {"process": _turn_of_peer(args, args.threads, race)}
                    race.alone.append(_turn_of_peer(args, 1, race))
                else:
                    cost = apart(
                        ONE_BLAS,
                        daemon_turn,
                        *(folders[name], args.threads, path, mqtt, args.hop, args.seconds),
                    )
                race.costs[name].append(cost)
    return race


def _turn_of_peer(args: argparse.Namespace, threads: int, race: Race) -> float:
    look, how_quiet = apart(
        SLEEP, peer_turn, args.size, args.frames, threads, args.hop, args.peer_windows
    )
    race.quiets.append(how_quiet)
    return look / args.hop


def _doubts(args: argparse.Namespace, race: Race, folder: Path) -> list[str]:
    """Return why the ratios must not be compared with others."""
    needed = [cost["process"] for cost in race.costs[PEER]]
    # CPU seconds are the same for one thread as for many, unless these wait.
    reach = Reach("the peer", statistics.median(needed), min(needed), min(race.alone), gain=1.0)
    peak = Side("engine", "fp32", 1, apart({}, write_peaks, folder)["fp32"], "openvino")
    library = Side("products", "fp32", 1, peak.folder)
    turns = [in_turn(side, 1, 1.5) for side in (peak, library)]
    machine, products = (min(turn.seconds) for turn in turns)
    faults = together([*race.quiets, *(turn.quiet for turn in turns)]).faults
    return doubts(reach, machine / products, faults)


# Scenes


def _scenes(
    args: argparse.Namespace, folders: Folders
) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return the share of skipped windows and the cost by bundle, scene and setting."""
    sounds = {"busy": busy(args.scene_seconds), "quiet": quiet(args.scene_seconds, args.room)}
    found = {}
    for name, folder in folders.items():
        seconds = load_bundle(folder).window_seconds
        idle_hop = args.idle_hop or args.hop * max(2, seconds / 2 // args.hop)
        settings: dict[str, Setting] = {
            "every window": (args.hop, None, None),
            f"gate at {GATE.level:g} dBFS": (args.hop, GATE, None),
            f"idle hop {idle_hop:g} s": (args.hop, None, idle_hop),
        }
        each = apart(
            ONE_BLAS, listen, folder, args.threads, list(sounds.values()), list(settings.values())
        )
        for scene, of_scene in zip(sounds, each, strict=True):
            for setting, costs in zip(settings, of_scene, strict=True):
                found[name, scene, setting] = costs
    return found


def _by_hop(args: argparse.Namespace, folders: Folders, peer: float) -> Plot:
    """Measure every window of the busy sound at several hops; the peer's cost is one look's."""
    hops = [args.hop * share for share in HOPS]
    series = {PEER: [(hop, peer * args.hop / hop) for hop in hops]}
    sound = busy(max(args.scene_seconds / 4, 4 * hops[-1]))
    for name, folder in folders.items():
        settings: list[Setting] = [(hop, None, None) for hop in hops]
        (costs,) = apart(ONE_BLAS, listen, folder, args.threads, [sound], settings)
        series[name] = [(hop, cost) for hop, (_, cost) in zip(hops, costs, strict=True)]
    return Plot("CPU by hop", "hop, s", "CPU s per s of sound", series, logarithmic=True)


# Tables


def _beside_the_peer(
    costs: dict[str, list[Costs]], args: argparse.Namespace, sides: str, doubted: list[str]
) -> Table:
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
        doubted,
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
    scenes: dict[tuple[str, str, str], tuple[float, float]],
    peer: float,
    args: argparse.Namespace,
    doubted: list[str],
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
        doubted,
    )


if __name__ == "__main__":
    main()
