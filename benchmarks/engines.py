"""Measure one window: the engines beside Hugging Face's AST in PyTorch, each in its own process.

    python benchmarks/engines.py
    python benchmarks/engines.py --network tiny base/16 --frames 1024    # patches 16 apart, not 10

The peer is `ASTForAudioClassification` with PyTorch's fused attention (sdpa), in float32, which is
its default, and in bfloat16. The engines run the graph that `ast_export` makes of our model with
the same weights, and those that it makes with `--precision int8` and `--merge-tokens`; the bundle
`home` has no peer but ONNX Runtime.

A turn is a new process in which one side runs alone; it ends before the next begins, so that no
thread of one side waits, by spinning, while another is measured. In each round all sides take one
turn, in another order. The peer takes its turns twice, with threads that spin while they wait and
with threads that sleep; what was faster counts. Beside them, and in the same rounds, runs what the
machine can do: large matrix products of OpenVINO and of PyTorch, with one thread and with all.

A ratio is marked as not comparable if other processes or the host took a part of the machine, if
the peer stays below 80 % of what it can reach by its runs with one thread, or if its library does
not reach 80 % of the machine's peak even in large products (see `parts/comparable.py`).
"""

import argparse
import random
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from parts.apart import apart
from parts.comparable import Reach, doubts
from parts.networks import STRIDE, Network, prepare, shipped, write_peaks
from parts.quiet import Quiet, together
from parts.result import RESULTS, Plot, Result, Table, as_markdown
from parts.spread import spread
from parts.window_side import Side, Turn, in_turn

from ast_edge.model.spec import SIZES
from ast_export.peak import PEAK_FLOPS

PEER, PEER_BF16 = "Hugging Face fp32", "Hugging Face bf16"
REFERENCE, WHOLE = "onnxruntime fp32", "openvino int8"
MERGING = "merging, "
"""Before the name of an engine whose graph merges tokens, which gives other answers."""
ROWS = (
    *(PEER, REFERENCE, "openvino fp32", "openvino bf16", WHOLE),
    *(MERGING + "openvino bf16", MERGING + WHOLE, PEER_BF16),
)
ALONE, SPINS = ", one thread", ", threads spin"
NETWORKS = ["home", *SIZES, "base/16"]
"""The bundle, and ASTs by size; after the slash the stride, if it is another."""
PEAK, PRODUCTS = "peak", "products of PyTorch"

Turns = dict[str, list[Turn]]
"""By side; those of a side that is run in several ways have the way after their names."""


@dataclass(frozen=True)
class Peaks:
    """FLOP per second in large products, by precision, with all threads and with one."""

    machine: dict[str, float]
    machine_alone: dict[str, float]
    library: dict[str, float]
    library_alone: dict[str, float]
    quiets: list[Quiet]
    """The turns that they are from."""


@dataclass
class Found:
    """What was measured with one network."""

    network: Network
    turns: Turns = field(default_factory=dict)


def main() -> None:
    """Print and save latency, paired ratios, share of the peak and differences of the answers."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        found, peaks = _race(args, Path(scratch))
    result = Result("One window")
    points: dict[str, dict[str, tuple[float, float]]] = {}
    for name, of in found.items():
        result.tables.append(_table(args, of, peaks))
        for side, turns in _best(of.turns).items():
            milliseconds = 1000 * statistics.median(map(_median, turns))
            points.setdefault(side, {})[name] = _flop(of.network, side) / 1e9, milliseconds
    result.tables[:0] = [_summary(args, points), _peak_table(args, peaks)]
    series = {name: sorted(of.values()) for name, of in points.items()}
    result.plots.append(Plot("One window by its work", "GFLOP", "ms", series))
    path = result.save("engines", args.results)
    print(as_markdown(result), path, sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS, nargs="+", default=NETWORKS)
    parser.add_argument("--frames", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turn", type=float, default=1.5, help="seconds of a turn, at least (1.5)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


# In turns


def _race(args: argparse.Namespace, scratch: Path) -> tuple[dict[str, Found], Peaks]:
    """Prepare all networks, then let all sides of all of them take turns, round after round."""
    found = {name: Found(_network(args, name, scratch)) for name in args.network}
    sides = {(name, side): how for name in found for side, how in _sides(args, found[name]).items()}
    peaks = _peak_sides(args, apart({}, write_peaks, scratch))
    sides |= {("", name): how for name, how in peaks.items()}
    peak_turns, order = Turns(), random.Random(0)
    for _ in range(args.rounds):
        for network, name in order.sample(list(sides), len(sides)):
            batch = args.batch if network else 1
            turn = in_turn(sides[network, name], batch, args.turn)
            turns = found[network].turns if network else peak_turns
            turns.setdefault(name, []).append(turn)
    return found, _peaks(peak_turns)


def _network(args: argparse.Namespace, name: str, scratch: Path) -> Network:
    if name == "home":
        return apart({}, shipped, name)
    return apart({}, prepare, name, args.frames, scratch / name.replace("/", "-"))


def _sides(args: argparse.Namespace, found: Found) -> dict[str, Side]:
    folder, whole, threads = found.network.folder, found.network.whole, args.threads
    sides = {
        REFERENCE: Side("engine", "fp32", threads, folder, "onnxruntime"),
        REFERENCE + SPINS: Side("session", "fp32", threads, folder, spins=True),
        "openvino fp32": Side("engine", "fp32", threads, folder, "openvino"),
        "openvino bf16": Side("engine", "bf16", threads, folder, "openvino"),
    }
    if whole:
        sides[WHOLE] = Side("engine", "int8", threads, whole, "openvino")
    if merging := found.network.merging:
        sides[MERGING + "openvino bf16"] = Side("engine", "bf16", threads, merging, "openvino")
        sides[MERGING + WHOLE] = Side("engine", "int8", threads, merging / "int8", "openvino")
    if not found.network.peer_flop:
        return sides | {REFERENCE + ALONE: Side("session", "fp32", 1, folder)}
    for name, precision in ((PEER, "fp32"), (PEER_BF16, "bf16")):
        sides[name] = Side("peer", precision, threads, folder)
        sides[name + SPINS] = Side("peer", precision, threads, folder, spins=True)
    return sides | {PEER + ALONE: Side("peer", "fp32", 1, folder)}


def _peak_sides(args: argparse.Namespace, folders: dict[str, Path]) -> dict[str, Side]:
    sides = {}
    for way, threads in (("", args.threads), (ALONE, 1)):
        for precision in ("fp32", "bf16", "int8"):
            folder = folders["int8" if precision == "int8" else "fp32"]
            side = Side("engine", precision, threads, folder, "openvino")
            sides[f"{PEAK} {precision}{way}"] = side
        for precision in ("fp32", "bf16"):
            side = Side("products", precision, threads, folders["fp32"], spins=True)
            sides[f"{PRODUCTS} {precision}{way}"] = side
    return sides


def _peaks(turns: Turns) -> Peaks:
    """Return the fastest of all runs: whatever held one up is no property of the machine."""

    def of(kind: str, way: str) -> dict[str, float]:
        return {
            precision: PEAK_FLOPS / _fastest(turns[f"{kind} {precision}{way}"])
            for precision in ("fp32", "bf16", "int8")
            if f"{kind} {precision}{way}" in turns
        }

    quiets = [turn.quiet for of_side in turns.values() for turn in of_side]
    return Peaks(of(PEAK, ""), of(PEAK, ALONE), of(PRODUCTS, ""), of(PRODUCTS, ALONE), quiets)


# What was found


def _best(turns: Turns) -> Turns:
    """Return the turns of each row: of a side that waits in two ways those of the faster one."""
    return {
        name: min(
            (turns[way] for way in (name, name + SPINS) if way in turns),
            key=lambda found: statistics.median(map(_median, found)),
        )
        for name in ROWS
        if name in turns
    }


def _doubts(found: Found, peaks: Peaks, base: str) -> list[str]:
    precision = base.split()[-1]
    best = _best(found.turns)
    reach = Reach(
        base,
        needed=statistics.median(map(_median, best[base])),
        fastest=_fastest(best[base]),
        alone=_fastest(found.turns[base + ALONE]),
        gain=peaks.machine[precision] / peaks.machine_alone[precision],
    )
    products = peaks.library[precision] / peaks.machine[precision] if base == PEER else 1.0
    quiets = [turn.quiet for turns in found.turns.values() for turn in turns]
    return doubts(reach, products, together([*quiets, *peaks.quiets]).faults)


def _table(args: argparse.Namespace, found: Found, peaks: Peaks) -> Table:
    best = _best(found.turns)
    base = PEER if PEER in best else REFERENCE
    doubted = _doubts(found, peaks, base)
    seconds = {name: [_median(turn) for turn in turns] for name, turns in best.items()}
    expected = best[base][0].answer
    rows = []
    for name, values in seconds.items():
        ratios = [a / b for a, b in zip(seconds[base], values, strict=True)]
        flop = _flop(found.network, name)
        speed = args.batch * flop / statistics.median(values)
        share = speed / peaks.machine[name.split()[-1]]
        ratio = spread(ratios, 2) + (", not comparable" if doubted else "")
        difference = float(np.abs(best[name][0].answer - expected).max())
        rows.append(
            [
                name,
                spread([1000 * value for value in values], 1),
                "1" if name == base else ratio,
                f"{flop / 1e9:.2f}",
                f"{share:.0%}",
                "" if name == base else f"{statistics.median(ratios) / share:.1f}",
                "" if name == base else f"{difference:.1e}",
            ]
        )
    return Table(
        f"{found.network.title}, batch {args.batch}, {args.threads} threads, {args.rounds} rounds",
        [
            *("", "ms (quartiles)", f"times as fast as {base}", "GFLOP", "share of peak"),
            *("times as fast at the peak", "largest difference in probability"),
        ],
        rows,
        doubts=doubted,
    )


def _peak_table(args: argparse.Namespace, peaks: Peaks) -> Table:
    rows = [
        [
            *(name, precision, f"{alone[precision] / 1e9:.0f}", f"{speed / 1e9:.0f}"),
            f"{speed / alone[precision]:.2f}",
            f"{speed / peaks.machine[precision]:.0%}",
        ]
        for name, together, alone in (
            ("OpenVINO", peaks.machine, peaks.machine_alone),
            ("PyTorch", peaks.library, peaks.library_alone),
        )
        for precision, speed in together.items()
    ]
    return Table(
        "What the machine can do: large matrix products, GFLOP/s",
        ["by", "precision", "1 thread", f"{args.threads} threads", "gain", "of the peak"],
        rows,
        "The fastest of all runs, in the same rounds as the sides below. The peak is OpenVINO's.",
    )


def _summary(args: argparse.Namespace, points: dict[str, dict[str, tuple[float, float]]]) -> Table:
    """Put the medians of all networks side by side."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("torch", "transformers", "onnxruntime", "openvino")
    )
    rows = []
    for network in args.network:
        cells = [f"{of[network][1]:.1f}" if network in of else "" for of in points.values()]
        rows.append([network, f"{points[REFERENCE][network][0]:.1f}", *cells])
    note = f"Medians. After a slash stands the stride, else it is {STRIDE}. {packages}."
    return Table("Milliseconds by network", ["network", "GFLOP", *points], rows, note)


def _flop(network: Network, side: str) -> int:
    peer = network.peer_flop if side in (PEER, PEER_BF16) else None
    merging = network.merging_flop if side.startswith(MERGING) else None
    return peer or merging or network.flop


def _median(turn: Turn) -> float:
    return statistics.median(turn.seconds)


def _fastest(turns: Sequence[Turn]) -> float:
    return min(min(turn.seconds) for turn in turns)


if __name__ == "__main__":
    main()
