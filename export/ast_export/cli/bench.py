"""Measure latency and throughput of a bundle in every engine that works on this machine.

The engines take turns, so that all see the same machine. Leave it alone meanwhile.
"""

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.box import Box
    from rich.table import Table

    from ast_edge.model.bundle import Bundle
    from ast_export.bench import Benchmark


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `bench` to the sub-commands."""
    parser = commands.add_parser(
        "bench",
        help="measure the speed of a bundle here",
        description=__doc__,
        epilog="example: ast-export bench home --batches 1,8 --threads 2 --markdown speed.md",
    )
    parser.add_argument("bundle", help="a shipped bundle's name or a folder")
    parser.add_argument(
        "--engines", type=_engines, help="which, with commas: openvino,onnxruntime (all)"
    )
    parser.add_argument(
        "--batches",
        type=_batches,
        default=[1, 2, 4, 8, 16, 32],
        help="windows at a time, with commas (1,2,4,8,16,32)",
    )
    parser.add_argument(
        "--threads", type=_threads, default=0, help="CPU threads (the engine's choice)"
    )
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="how long to measure, about (60)"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there too")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print the table, and write it."""
    from rich import box
    from rich.console import Console

    from ast_edge.engines.choice import ENGINES
    from ast_edge.model.bundle import find_bundle, load_bundle
    from ast_export.bench import measure_speed
    from ast_training.base.atomic_file import atomic_file

    bundle = load_bundle(find_bundle(args.bundle))
    console = Console(highlight=False, markup=False, soft_wrap=True)
    with _quiet(), Console(stderr=True).status("opening the engines") as status:
        benchmark = measure_speed(
            bundle,
            engines=args.engines or list(ENGINES),
            batches=args.batches,
            threads=args.threads,
            seconds=args.seconds,
            on_batch=lambda batch: status.update(f"measuring batches of {batch}"),
        )
    title, notes = _title(bundle, benchmark), _notes(benchmark)
    console.print(*title, "", sep="\n")
    console.print(_table(benchmark, box.SIMPLE_HEAD))
    console.print("", *notes, sep="\n")
    if args.markdown:
        table = StringIO()
        Console(file=table, width=200).print(_table(benchmark, box.MARKDOWN))
        lines = [f"# Speed of {title[0]}", *title[1:], table.getvalue().strip(), "\n".join(notes)]
        with atomic_file(args.markdown) as partial:
            partial.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
        console.print(f"wrote {args.markdown}")
    return 0


def _title(bundle: "Bundle", benchmark: "Benchmark") -> list[str]:
    import datetime
    import platform

    from ast_edge import __version__
    from ast_export.machine import describe_machine

    today = datetime.datetime.now(datetime.timezone.utc).date()
    return [
        f"{bundle.name}: {_figure(benchmark.flops / 1e9)} GFLOP a window of "
        f"{bundle.window_seconds:.2f} s",
        f"{describe_machine()}; {today}, ast-edge {__version__}, Python "
        f"{platform.python_version()}",
    ]


def _table(benchmark: "Benchmark", style: "Box") -> "Table":
    from rich import box
    from rich.table import Table

    page = style is box.MARKDOWN
    table = Table(box=style, show_edge=page, pad_edge=page, padding=(0, 1, 0, 1 if page else 0))
    table.add_column("engine", no_wrap=True)
    for heading in ("batch", "p50 ms", "p95 ms", "p99 ms", "windows/s", "GFLOP/s", "of peak"):
        table.add_column(heading, justify="right", no_wrap=True)
    batch = 0
    for latency in benchmark.latencies:
        if batch and latency.batch != batch and not page:
            table.add_section()
        batch = latency.batch
        percentiles = [latency.percentile(percent) for percent in (50, 95, 99)]
        table.add_row(
            latency.contender.name,
            str(batch),
            *("-" if seconds is None else _figure(1000 * seconds) for seconds in percentiles),
            _figure(latency.windows_per_second),
            _figure(latency.flops_per_second / 1e9),
            f"{latency.share:.0%}",
        )
    return table


def _figure(value: float) -> str:
    """Format to three digits, as far as they stand in the first three places."""
    places = sum(value < limit for limit in (1, 10, 100))
    return f"{value:.{places}f}"


def _notes(benchmark: "Benchmark") -> list[str]:
    runs = sorted({len(latency.seconds) for latency in benchmark.latencies})
    lines = [
        f"- {c.name}: {c.description}; peak {_figure(c.peak / 1e9)} GFLOP/s"
        for c in benchmark.contenders
    ]
    lines += [f"- {reason}" for reason in benchmark.unavailable]
    if benchmark.left_out:
        sizes = ", ".join(map(str, benchmark.left_out))
        lines.append(f"- batch {sizes}: left out, would take longer; give more --seconds")
    return [
        *lines,
        f"- {' to '.join(map(str, dict.fromkeys([runs[0], runs[-1]])))} runs each; a dash: too few "
        "for that percentile",
        "- FLOP: 2 per multiply-add, matrix products and convolutions of the graph only",
        "- peak: large matrix products in the same engine and precision, their best in this run",
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself that each engine was opened; the table says it."""
    log = logging.getLogger("ast_edge.engines.engine")
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)


def _engines(text: str) -> list[str]:
    from ast_edge.base.yaml_file import did_you_mean
    from ast_edge.engines.choice import ENGINES

    for name in text.split(","):
        if name not in ENGINES:
            hint = did_you_mean(name, list(ENGINES))
            raise argparse.ArgumentTypeError(f"no engine {name!r}{hint}")
    return list(dict.fromkeys(text.split(",")))


def _threads(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a number, 0 for the engine's own, got {text!r}")
    return int(text)


def _batches(text: str) -> list[int]:
    sizes = text.split(",")
    if not all(size.isascii() and size.isdigit() and int(size) > 0 for size in sizes):
        raise argparse.ArgumentTypeError(f"expected sizes with commas, such as 1,8, got {text!r}")
    return [int(size) for size in sizes]
