"""Measure how well a bundle detects events, against false alarms, latency and hop.

python benchmarks/quality_curves.py --bundle home --validation scenes/validation --test scenes/test

Each folder has `events` and `negatives`, as `ast-train soundscapes` writes them (the second with
`--events 0`). Recordings are scored once and replayed. Thresholds are chosen on the validation
recordings, as `ast-edge tune` does, and measured on the test recordings.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from parts.replay import Variant
from parts.result import RESULTS, Plot, Result, Table
from parts.scenes import Figures, Run, Scene, measure, read_scenes, trials_of

from ast_edge.base.errors import BundleError
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.evaluation.report import quantile
from ast_edge.model.bundle import Bundle, find_bundle, load_bundle
from ast_edge.tuning.tuning import Tuning, tune

WISHES = (0.5, 2.0, 6.0, 12.0, 30.0)
"""False alarms per hour of all labels together."""
HOPS = (0.5, 1.0, 2.0)
LATENCIES = (0.5, 1.0, 2.0)
COLUMNS = ["F1 micro", "macro", "onset F1", "found", "false alarms an hour"]
COLUMNS += ["where nothing sounds", "told after, p50, p95"]

Found = Mapping[tuple[str, float], Figures]
"""By run and wish."""


def main() -> None:
    """Score, choose, measure, and write what was found."""
    args = _arguments()
    bundle = load_bundle(find_bundle(args.bundle))
    settings = EngineConfig(name=args.engine, threads=args.threads)
    deployed = Run(bundle, open_engine(bundle, settings), deployed_variant(bundle))
    outputs = {name: replace(deployed, variant=one) for name, one in variants_of(bundle).items()}
    for name, other in map(_named_bundle, args.also):
        if [one.name for one in other.labels] != [one.name for one in bundle.labels]:
            raise BundleError(f"{name}: expected the labels of {args.bundle}, it has others")
        outputs[name] = Run(other, open_engine(other, settings), deployed_variant(other))
    latencies = {
        f"latency {seconds:g} s": replace(
            deployed, variant=replace(deployed.variant, latency=seconds)
        )
        for seconds in LATENCIES
        if deployed.variant.frame
    }
    hops = {
        f"hop {seconds:g} s": replace(deployed, variant=replace(deployed.variant, hop=seconds))
        for seconds in HOPS
    }
    runs = {**outputs, **latencies, **hops}
    validation, test = (
        read_scenes(folder, runs, HOPS, args.minutes, args.ignore)
        for folder in (args.validation, args.test)
    )
    found: dict[tuple[str, float], Figures] = {}
    for name, run in runs.items():
        wishes = WISHES if name in outputs else (args.wish,)
        for tuning in _tuned(validation, name, run, wishes, args):
            after = {one.label: one.after for one in tuning.labels}
            found[name, tuning.wish] = figures = measure(test, name, after)
            print(f"{name}, wish {tuning.wish:g}: {' | '.join(row(figures))}", flush=True)
    tables = [
        _table("Outputs and false alarms", "thresholds for", found, list(outputs), test),
        _table("Latency", "thresholds for", found, list(latencies), test),
        _table("Hop", "thresholds for", found, list(hops), test),
    ]
    result = Result(
        f"Quality of {bundle.name}",
        f"python benchmarks/quality_curves.py --bundle {bundle.name}",
        [table for table in tables if table.rows],
        _plots(found, list(outputs), latencies, hops),
    )
    print(result.save("quality", args.results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="home")
    parser.add_argument(
        "--also",
        metavar="NAME=BUNDLE",
        action="append",
        default=[],
        help="another bundle with the same labels, such as one with --frame-curve",
    )
    parser.add_argument("--validation", type=Path, required=True, help="to choose thresholds by")
    parser.add_argument("--test", type=Path, required=True, help="to measure on")
    parser.add_argument("--minutes", type=int, help="taken of each set of recordings (all)")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--off", type=float, help="as a share of on (several are tried)")
    parser.add_argument("--lowest", type=float, default=0.2, help="no on falls below this (0.2)")
    parser.add_argument(
        "--wish", type=float, default=6.0, help="false alarms an hour for latency and hop (6)"
    )
    parser.add_argument(
        "--ignore",
        metavar="LABEL",
        action="append",
        default=[],
        help="leave annotations of this label out (can be repeated)",
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def deployed_variant(bundle: Bundle) -> Variant:
    """Return how the bundle's scores are used unless one says otherwise."""
    return Variant(frame=bundle.frame != "none", gate=bundle.clip_gate)


def variants_of(bundle: Bundle) -> dict[str, Variant]:
    """Return all ways to use the bundle's scores, by names for people."""
    clip = {"clip scores alone": Variant(frame=False)}
    if bundle.frame == "none":
        return clip
    name = {"head": "frame head", "curve": "curve without training"}[bundle.frame]
    return {name: Variant(), f"{name} and clip gate": Variant(gate=True), **clip}


def _named_bundle(text: str) -> tuple[str, Bundle]:
    name, _, bundle = text.partition("=")
    return name, load_bundle(find_bundle(bundle))


def _tuned(
    scenes: Sequence[Scene],
    name: str,
    run: Run,
    wishes: Sequence[float],
    args: argparse.Namespace,
) -> Iterator[Tuning]:
    """Choose thresholds for each wish; what they do is tried once."""
    trials, pieces = trials_of(
        scenes, name, run.bundle.settings, off_share=args.off, most=max(wishes)
    )
    for wish in wishes:
        yield tune(trials, pieces, wish, lowest=args.lowest, sure=False)


def row(figures: Figures) -> list[str]:
    """Return the cells of `COLUMNS`."""
    low, high = figures.false_alarms.interval or (0.0, 0.0)
    p50 = quantile(figures.latencies, 0.5)
    return [
        f"{figures.micro_f1:.3f}",
        f"{figures.macro_f1:.3f}",
        f"{figures.onsets.f1 or 0.0:.3f}",
        f"{figures.found:.2f}",
        f"{figures.false_alarms.per_hour or 0.0:.1f} ({low:.1f} to {high:.1f})",
        f"{figures.in_negatives.per_hour or 0.0:.1f}",
        "" if p50 is None else f"{p50:.1f}, {figures.p95:.1f} s",
    ]


def _table(
    caption: str, wished: str, found: Found, names: Sequence[str], scenes: Sequence[Scene]
) -> Table:
    rows = [
        [name, f"{wish:g} an hour", *row(figures)]
        for (name, wish), figures in found.items()
        if name in names
    ]
    minutes = [
        sum(one.seconds for one in scenes if one.is_negative == negative) / 60
        for negative in (False, True)
    ]
    events = sum(len(spans) for one in scenes for spans in one.truth.values())
    note = f"{minutes[0]:.0f} minutes with {events} events, {minutes[1]:.0f} without."
    return Table(caption, ["", wished, *COLUMNS], rows, note)


def _plots(
    found: Found, outputs: Sequence[str], latencies: Mapping[str, Run], hops: Mapping[str, Run]
) -> list[Plot]:
    plots = [
        Plot(
            f"{kind} F1 against false alarms",
            "false alarms an hour",
            f"event F1, {kind}",
            {
                name: sorted(
                    (one.false_alarms.per_hour or 0.0, getattr(one, f"{kind}_f1"))
                    for (other, _), one in found.items()
                    if other == name
                )
                for name in outputs
            },
        )
        for kind in ("micro", "macro")
    ]
    for axis, runs in (("latency", latencies), ("hop", hops)):
        if not runs:
            continue
        chosen = [
            (getattr(run.variant, axis), one)
            for name, run in runs.items()
            for (other, _), one in found.items()
            if other == name
        ]
        series = {"micro": [(x, one.micro_f1) for x, one in chosen]}
        series["macro"] = [(x, one.macro_f1) for x, one in chosen]
        plots.append(Plot(f"Event F1 against {axis}", f"{axis} in s", "event F1", series))
        told = {"p95": [(x, one.p95) for x, one in chosen if one.latencies]}
        plots.append(Plot(f"Told after, against {axis}", f"{axis} in s", "s after the onset", told))
    return plots


if __name__ == "__main__":
    main()
