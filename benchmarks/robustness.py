"""Measure how well a bundle knows held-out recordings when sound reaches it badly.

python benchmarks/robustness.py --recipe configs/train/home.yaml --json robustness.json

Average precision of each label, clip by clip, through the deployed front end and engine: as
recorded, and with gain, noise, codecs, rooms and clipping. And what each sound is taken for: the
share of its recordings in which another label reaches its threshold (the events of the pipeline).
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from parts.conditions import CLEAN, Condition, as_recorded, make_conditions
from parts.held_out import (
    Audio,
    HeldOut,
    Scores,
    clip_scores,
    label_aps,
    open_held_out,
    open_role,
    resampled,
)
from parts.result import RESULTS, Plot, Result, Table

from ast_edge.detection.hearing import Hearing
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Engine
from ast_edge.evaluation.detector import Detector
from ast_edge.model.bundle import Bundle, find_bundle, load_bundle
from ast_export.card import EXPERIMENTAL_AP
from ast_training.measure.evidence import FEW
from ast_training.recipe.recipe import load_recipe

CONFUSIONS = 3
LEAST_AP = 0.3
"""A label below it is left out, unless it was measured on recordings of a few sources only."""
SHOWN = (
    *("clean", "gain -20 dB", "gain +20 dB", "SNR 10 dB", "SNR 0 dB"),
    *("Opus", "telephone", "far field -12 dB"),
)
"""Conditions that the table of labels has."""
AXES = {
    "gain": "gain in dB",
    "noise": "signal-to-noise ratio in dB",
    "far": "direct sound against reverberation in dB",
    "clipping": "dB cut off",
}


def main() -> None:
    """Print a line for each condition, and write what was found."""
    args = _arguments()
    recipe, bundle = load_recipe(args.recipe), load_bundle(find_bundle(args.bundle))
    engine = open_engine(bundle, EngineConfig(name=args.engine, threads=args.threads))
    held_out = open_held_out(recipe, bundle, args.splits, args.seconds)
    noise, rooms = (open_role(recipe, args.splits, role) for role in ("background", "room"))
    everything = list(range(len(held_out.targets)))
    clean = clip_scores(held_out, everything, lambda _, samples: samples, bundle, engine)
    chosen = held_out.sample(args.per_label, args.seed)
    aps = {}
    for condition in make_conditions(bundle.fbank.sample_rate, noise, rooms):
        scores = clean[chosen]
        if condition is not CLEAN:
            scores = _score(held_out, chosen, condition, args.seed, bundle, engine)
        aps[condition] = ap = label_aps(held_out, scores, chosen)
        print(f"{condition.name:18} macro AP {np.nanmean(ap):.3f}", flush=True)
    confused = confusions(
        held_out, chosen, Detector(Hearing(bundle, bundle.settings, hop=0.5), engine)
    )
    if args.json:
        named = {"bundle": {"name": bundle.name, "sha256": bundle.sha256}}
        tree = named | as_tree(aps, confused, held_out, chosen)
        args.json.write_text(json.dumps(tree, indent=1, ensure_ascii=False) + "\n")
    tables = [
        _conditions_table(aps, held_out, chosen),
        _labels_table(aps, held_out, chosen),
        _confusions_table(confused),
        rule_table(held_out, clean),
    ]
    result = Result(
        f"Robustness of {bundle.name}",
        f"python benchmarks/robustness.py --bundle {bundle.name} --per-label {args.per_label}",
        tables,
        _plots(aps),
    )
    print(result.save("robustness", args.results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path, required=True, help="that the bundle was made by")
    parser.add_argument("--bundle", default="home")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--splits", nargs="+", default=["test"], help="whose recordings are taken (test)"
    )
    parser.add_argument("--per-label", type=int, default=10, help="recordings at most (10)")
    parser.add_argument("--seconds", type=float, default=10.0, help="taken of each (10)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures for a model card")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def _score(
    held_out: HeldOut,
    chosen: Sequence[int],
    condition: Condition,
    seed: int,
    bundle: Bundle,
    engine: Engine,
) -> Scores:
    def change(index: int, samples: Audio) -> Audio:
        # Of the recording, not of the condition: all levels of noise have the same noise.
        rng = np.random.default_rng((seed, index))
        return as_recorded(condition.change(samples, rng))

    return clip_scores(held_out, chosen, change, bundle, engine)


def confusions(
    held_out: HeldOut, chosen: Sequence[int], detector: Detector
) -> dict[str, list[tuple[str, float]]]:
    """Return for each label with recordings what is reported in them, its own share first.

    After that `CONFUSIONS` other labels, which do not sound in them, with their shares. Those that
    may, of which nobody said so, count for nothing.
    """
    reported = np.array([_reported(held_out, index, detector) for index in chosen])
    targets = held_out.targets[chosen]
    false = reported & ~targets & ~held_out.unknown[chosen]
    found = {}
    for column, label in enumerate(held_out.labels):
        if not (has := targets[:, column]).any():
            continue
        wrong = Counter({n: int(c) for n, c in enumerate(false[has].sum(0)) if c})
        found[label] = [(label, float(reported[has, column].mean()))]
        found[label] += [
            (held_out.labels[other], count / int(has.sum()))
            for other, count in wrong.most_common(CONFUSIONS)
        ]
    return found


def _reported(held_out: HeldOut, index: int, detector: Detector) -> NDArray[np.bool_]:
    """Tell which labels (labels,) have an event in a recording."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "recording.wav"
        soundfile.write(path, held_out.samples(index), held_out.recordings.sample_rate)
        detections = detector.listen(path, draw=False).detections
    reported = np.zeros(len(held_out.labels), bool)
    reported[[one.label.index for one in detections]] = True
    return reported


def as_tree(
    aps: Mapping[Condition, NDArray[np.float64]],
    confused: Mapping[str, Sequence[tuple[str, float]]],
    held_out: HeldOut,
    chosen: Sequence[int],
) -> dict[str, Any]:
    """Return the figures for JSON; labels without recordings are left out."""
    counts = held_out.targets[chosen].sum(axis=0)
    return {
        "robustness": {
            condition.name: {
                "macro_ap": round(float(np.nanmean(ap)), 4),
                "ap": {
                    n: round(float(x), 4)
                    for n, x in zip(held_out.labels, ap, strict=True)
                    if not np.isnan(x)
                },
            }
            for condition, ap in aps.items()
        },
        "confusions": {
            label: [[name, round(share, 4)] for name, share in shares[1:]]
            for label, shares in confused.items()
        },
        "recordings": {n: int(c) for n, c in zip(held_out.labels, counts, strict=True) if c},
    }


def rule_table(held_out: HeldOut, clean: Scores) -> Table:
    """Say of each label, by all held-out recordings as they are, whether it is good enough."""
    aps = label_aps(held_out, clean)
    rows, intervals = [], resampled(held_out, clean)
    for column, label in enumerate(held_out.labels):
        sources = held_out.sources(column)
        interval = intervals.interval(column)
        rows.append(
            [
                label,
                _figure(aps[column]),
                f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else "",
                str(len(sources)),
                str(len(set(sources))),
                verdict(aps[column], len(set(sources))),
            ]
        )
    counts = Counter(row[-1] for row in rows)
    return Table(
        "Which labels are good enough",
        ["label", "AP", "95 % of resampled sources", "recordings", "sources", "verdict"],
        sorted(rows, key=lambda row: row[1], reverse=True),
        f"Left out below {LEAST_AP:g} ({counts['left out']}), experimental below "
        f"{EXPERIMENTAL_AP:g} or, whatever the AP, with fewer than {FEW} held-out sources "
        f"({counts['experimental']}), else good ({counts['good']}). "
        f"Macro AP over {len(clean)} recordings: {np.nanmean(aps):.3f}.",
    )


def verdict(ap: float, sources: int) -> str:
    """Say what is to be done with a label of this AP; NaN is that of one without recordings."""
    if np.isnan(ap):
        return "left out"
    if sources < FEW:  # too few to say that it is bad
        return "experimental"
    if ap < LEAST_AP:
        return "left out"
    return "good" if ap >= EXPERIMENTAL_AP else "experimental"


def _conditions_table(
    aps: Mapping[Condition, NDArray[np.float64]], held_out: HeldOut, chosen: Sequence[int]
) -> Table:
    clean = aps[CLEAN]
    rows = []
    for condition, ap in aps.items():
        change = ap - clean
        row = [condition.name, _figure(float(np.nanmean(ap)))]
        worst = int(np.nanargmin(change))
        row += [f"{np.nanmean(change):+.2f}", f"{held_out.labels[worst]} ({change[worst]:+.2f})"]
        rows.append(row if condition is not CLEAN else [*row[:2], "", ""])
    return Table(
        "Macro AP",
        ["condition", "macro AP", "change", "most"],
        rows,
        f"{len(chosen)} held-out recordings; the same noise and rooms at every level.",
    )


def _labels_table(
    aps: Mapping[Condition, NDArray[np.float64]], held_out: HeldOut, chosen: Sequence[int]
) -> Table:
    shown = [condition for condition in aps if condition.name in SHOWN]
    counts = held_out.targets[chosen].sum(axis=0)
    rows = [
        [label, str(counts[column]), *(_figure(aps[condition][column]) for condition in shown)]
        for column, label in enumerate(held_out.labels)
    ]
    columns = ["label", "recordings", *(condition.name for condition in shown)]
    return Table("AP of each label", columns, rows)


def _confusions_table(confused: Mapping[str, Sequence[tuple[str, float]]]) -> Table:
    rows = [
        [label, f"{shares[0][1]:.0%}", ", ".join(f"{n} {s:.0%}" for n, s in shares[1:]) or "none"]
        for label, shares in confused.items()
    ]
    note = "Share of the recordings of a label in which the pipeline reports it, and others."
    return Table("What it is taken for", ["label", "reported", "and also"], rows, note)


def _plots(aps: Mapping[Condition, NDArray[np.float64]]) -> list[Plot]:
    plots = []
    for kind, axis in AXES.items():
        points = {c.decibels: ap for c, ap in aps.items() if c.kind == kind}
        if kind in ("gain", "clipping"):
            points[0] = aps[CLEAN]
        levels = sorted(points)
        quartiles = {"worst quarter of the labels": 0.25, "median": 0.5, "best quarter": 0.75}
        series = {
            name: [(level, float(np.nanquantile(points[level], share))) for level in levels]
            for name, share in quartiles.items()
        }
        series["mean (macro AP)"] = [(level, float(np.nanmean(points[level]))) for level in levels]
        plots.append(Plot(f"AP against {axis}", axis, "AP", series))
    return plots


def _figure(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"


if __name__ == "__main__":
    main()
