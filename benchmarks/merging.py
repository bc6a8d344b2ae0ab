"""Measure what merging tokens costs a trained model of square patches, on recordings held out.

python benchmarks/merging.py --checkpoint runs/square/last.safetensors --recipe square.yaml

The checkpoint is exported whole and with each number of tokens to merge, in int8 too where `--int8`
says so; what strays from PyTorch in an engine is left out. All score the same recordings of the
test split through the deployed front end and engine. A loss is that of the mean over labels of
average precision, with the interval of resampled sources, the same ones on both sides.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from parts.held_out import HeldOut, Scores, clip_scores, label_aps, open_held_out, resampled
from parts.result import RESULTS, Plot, Result, Table, command_line

from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.model.bundle import Bundle, Precision, load_bundle
from ast_export.flops import count_flops
from ast_export.label_selection import wanted_alone
from ast_export.merged import load_members
from ast_export.writer import ExportOptions, ParityError, write_bundle
from ast_training.measure.bootstrap import interval_of
from ast_training.recipe.recipe import load_recipe
from ast_training.run.calibration import folded

AUDIO = Path(__file__).parents[1] / "tests" / "edge" / "data"
"""Recordings that graphs are compared on."""


@dataclass(frozen=True)
class Variant:
    """One export of the checkpoint."""

    tokens: int
    """That each block merges."""
    precision: Precision

    @property
    def name(self) -> str:
        """What the table calls it."""
        merged = f"{self.tokens} a block" if self.tokens else "none"
        return merged if self.precision == "fp32" else f"{merged}, {self.precision}"


@dataclass(frozen=True)
class Found:
    """What a variant costs, and what it says of the recordings."""

    gflop: float
    """Of a window."""
    scores: Scores
    """(recordings, labels)."""


def main() -> None:
    """Export, score, compare, and write what was found."""
    args = _arguments()
    variants = [Variant(tokens, "fp32") for tokens in (0, *args.tokens)]
    variants += [Variant(tokens, "int8") for tokens in args.int8]
    found, held_out = {}, None
    with tempfile.TemporaryDirectory() as scratch:
        for number, variant in enumerate(variants):
            try:
                bundle = _export(args.checkpoint, variant, Path(scratch) / str(number))
            except ParityError as exc:  # as whoever exports it would find
                print(f"{variant.name}: {exc}", flush=True)
                continue
            if held_out is None:
                held_out = open_held_out(load_recipe(args.recipe), bundle, ["test"], args.seconds)
                chosen = held_out.sample(args.per_label, args.seed)
            found[variant] = _score(held_out, chosen, bundle, args.threads)
            print(
                f"{variant.name}: {_macro(held_out, chosen, found[variant].scores):.3f}", flush=True
            )
    assert held_out is not None
    result = Result(
        "What merging tokens costs",
        command_line(),
        [_table(found, held_out, chosen)],
        [_plot(found, held_out, chosen)],
    )
    print(result.save("merging", args.results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, required=True, help="that the checkpoint is of")
    parser.add_argument("--tokens", type=int, nargs="+", default=[4, 8, 12])
    parser.add_argument("--int8", type=int, nargs="*", default=[], metavar="TOKENS")
    parser.add_argument("--per-label", type=int, default=20, help="recordings at most (20)")
    parser.add_argument("--seconds", type=float, default=10.0, help="taken of each (10)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def _export(checkpoint: Path, variant: Variant, out: Path) -> Bundle:
    members = [wanted_alone(folded(member)) for member in load_members([checkpoint])]
    options = ExportOptions(
        "merging", audio=AUDIO, precision=variant.precision, merge_tokens=variant.tokens
    )
    write_bundle(members, out, options)
    return load_bundle(out)


def _score(held_out: HeldOut, chosen: Sequence[int], bundle: Bundle, threads: int) -> Found:
    engine = open_engine(bundle, EngineConfig(threads=threads))
    scores = clip_scores(held_out, chosen, lambda _, sound: sound, bundle, engine)
    return Found(count_flops(bundle.onnx) / 1e9, scores)


def _macro(held_out: HeldOut, chosen: Sequence[int], scores: Scores) -> float:
    return float(np.nanmean(label_aps(held_out, scores, chosen)))


def _losses(
    held_out: HeldOut, chosen: Sequence[int], whole: Scores, merged: Scores
) -> NDArray[np.float64]:
    """Return the loss in macro AP in resamples of the sources, the same for both."""
    both = [resampled(held_out, scores, chosen).aps for scores in (whole, merged)]
    return np.asarray(np.nanmean(both[0] - both[1], axis=1))


def _table(found: dict[Variant, Found], held_out: HeldOut, chosen: Sequence[int]) -> Table:
    whole, rows = found[Variant(0, "fp32")], []
    for variant, one in found.items():
        macro = _macro(held_out, chosen, one.scores)
        row = [variant.name, f"{one.gflop:.2f}", f"{one.gflop / whole.gflop:.0%}", f"{macro:.3f}"]
        if one is not whole:
            low, high = interval_of(_losses(held_out, chosen, whole.scores, one.scores)) or (0, 0)
            loss = _macro(held_out, chosen, whole.scores) - macro
            row.append(f"{loss:.3f} ({low:.3f} to {high:.3f})")
        rows.append(row + [""] * (5 - len(row)))
    sources = {held_out.recordings.recordings[index].group for index in chosen}
    return Table(
        "Average precision by the tokens that each block merges",
        ["merged", "GFLOP a window", "of the whole", "macro AP", "lost"],
        rows,
        f"{len(chosen)} recordings of {len(sources)} sources and {len(held_out.labels)} labels "
        "that trained nothing; a recording scores the highest of its windows.",
    )


def _plot(found: dict[Variant, Found], held_out: HeldOut, chosen: Sequence[int]) -> Plot:
    curves: dict[str, list[tuple[float, float]]] = {}
    for variant, one in found.items():
        point = one.gflop, _macro(held_out, chosen, one.scores)
        curves.setdefault(variant.precision, []).append(point)
    return Plot("Quality by operations", "GFLOP a window", "macro AP", curves)


if __name__ == "__main__":
    main()
