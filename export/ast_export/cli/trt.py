"""Build a TensorRT engine of a bundle, on the device that runs it or for other GPUs.

Without --out it goes to the cache from which ast-edge takes its engines on this device; ast-edge
would build it on its first start. TensorRT builds for the GPU that it runs on; TensorRT-RTX needs
none, and with --compute-capability builds for others. Of an fp32 bundle an fp16 graph is made
first, and compared with it on real sound; where that is beyond the limits, the engine is in fp32.
"""

import argparse
import os
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from ast_edge.engines.trt.build import BuildOptions
    from ast_edge.engines.trt.cuda import Device
    from ast_edge.engines.trt.engine_card import EngineCard
    from ast_edge.engines.trt.half_bundle import HalfReport
    from ast_edge.model.bundle import Bundle


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `trt` to the sub-commands."""
    parser = commands.add_parser(
        "trt",
        help="build a TensorRT engine of a bundle",
        description=__doc__,
        epilog="example: ast-export trt bundles/home --max-batch 4 --timing-cache times.bin",
    )
    parser.add_argument("bundle", help="folder of a bundle, or the name of one that is included")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="ENGINE",
        help="file to write, with a card beside it (the cache: $CACHE_DIRECTORY, which systemd "
        "sets, or that of the user)",
    )
    parser.add_argument(
        "--precision",
        choices=["fp16", "fp32"],
        help="of an fp32 bundle's engine (fp16, and fp32 where that cannot be)",
    )
    parser.add_argument("--max-batch", type=int, default=8, metavar="N", help="largest batch (8)")
    parser.add_argument(
        "--optimal-batch", type=int, default=1, metavar="N", help="batch it is fastest for (1)"
    )
    parser.add_argument(
        "--workspace-mib", type=int, metavar="M", help="GPU memory for kernels (all there is)"
    )
    parser.add_argument(
        "--builder-level", type=int, metavar="L", help="how long to look for fast kernels, 0 to 5"
    )
    parser.add_argument(
        "--compute-capability",
        type=_capabilities,
        default=(),
        metavar="86,89,120",
        help="GPUs to build for, with TensorRT-RTX",
    )
    parser.add_argument(
        "--version-compatible", action="store_true", help="for newer TensorRT versions too"
    )
    parser.add_argument(
        "--hardware-compatible", action="store_true", help="for other GPUs too, Ampere and later"
    )
    parser.add_argument(
        "--timing-cache", type=Path, metavar="FILE", help="times of kernels, read and written"
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Build the engine, write it, and print where it is."""
    from ast_edge.engines.trt.build import build_engine, check_options
    from ast_edge.engines.trt.engine_cache import EngineCache, cache_folder
    from ast_edge.engines.trt.engine_card import write_engine
    from ast_edge.engines.trt.library import find_library
    from ast_edge.model.bundle import find_bundle, load_bundle

    options = _options(args)
    bundle = load_bundle(find_bundle(args.bundle))
    library = find_library()
    check_options(library, options)
    name = ""
    if not args.out or not library.capabilities:
        device = _find_device(args)
        name = device.name
        native = library.native(device.compute_capability)
        options = replace(options, compute_capabilities=options.compute_capabilities or native)
    folder = args.out.parent if args.out else cache_folder()
    _prepare(folder)
    bundle, report = _in_precision(bundle, args.precision)
    start = time.monotonic()
    with _bar() as bar:
        plan, card = build_engine(library, bundle, options, bar, name)
    seconds = time.monotonic() - start
    if args.out:
        write_engine(args.out, plan, card)
    path = args.out or EngineCache(folder).store(plan, card)
    if report:
        print(f"fp16: {report}")
    print(f"built in {seconds:.1f} s: {_describe(card)}")
    print(f"wrote {path}")
    return 0


def _options(args: argparse.Namespace) -> "BuildOptions":
    from ast_edge.base.errors import ConfigError
    from ast_edge.engines.trt.build import BuildOptions

    if args.compute_capability and not args.out:
        raise ConfigError("an engine for other GPUs is of no use in the cache: give --out as well")
    return BuildOptions(
        max_batch=args.max_batch,
        optimal_batch=args.optimal_batch,
        workspace_mib=args.workspace_mib,
        builder_level=args.builder_level,
        version_compatible=args.version_compatible,
        hardware_compatible=args.hardware_compatible,
        compute_capabilities=args.compute_capability,
        timing_cache=args.timing_cache,
    )


def _in_precision(bundle: "Bundle", wanted: str | None) -> "tuple[Bundle, HalfReport | None]":
    """Return the bundle in the arithmetic that is wanted, and how near that is to its own."""
    from ast_edge.base.errors import ConfigError
    from ast_edge.engines.trt.engine_cache import cache_folder
    from ast_edge.engines.trt.half_bundle import HalfRefused, half_bundle

    if bundle.precision != "fp32":
        if wanted not in (None, bundle.precision):
            raise ConfigError(f"--precision {wanted}: {bundle.name!r} is in {bundle.precision}")
        return bundle, None
    if wanted == "fp32":
        return bundle, None
    try:
        return half_bundle(bundle, cache_folder())
    except HalfRefused as exc:
        if wanted == "fp16":
            raise
        print(f"ast-export: {exc}; the engine is in fp32", file=sys.stderr)
        return bundle, None


def _find_device(args: argparse.Namespace) -> "Device":
    """Look at the GPU here; the cache needs one, and so does the full TensorRT."""
    from ast_edge.base.errors import EngineError, EngineUnavailable
    from ast_edge.engines.trt.cuda_choice import open_cuda

    try:
        with closing(open_cuda()) as cuda:
            return cuda.device
    except EngineUnavailable as exc:
        hint = "" if args.out else "; to build for other GPUs with TensorRT-RTX, give --out"
        raise EngineError(f"an engine for this device needs a GPU: {exc}{hint}") from exc


def _prepare(folder: Path) -> None:
    """Complain about the folder before the minutes of building."""
    from ast_edge.base.errors import EngineError

    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise EngineError(f"{folder}: cannot be written; choose another with --out")


def _describe(card: "EngineCard") -> str:
    target = card.device or "GPUs from Ampere on"
    if card.capabilities and not card.device:
        numbers = ", ".join(f"{number / 10:.1f}" for number in card.capabilities)
        target = f"compute capability {numbers}"
    return (
        f"{card.library} {card.version}, {card.precision}, batches of 1 to {card.profile.max[0]}, "
        f"for {target}, {card.size / 1e6:.1f} MB"
    )


def _capabilities(text: str) -> tuple[int, ...]:
    numbers = text.split(",")
    if not all(number.isascii() and number.isdigit() for number in numbers):
        raise argparse.ArgumentTypeError(f"expected numbers such as 86,89,120, got {text!r}")
    return tuple(dict.fromkeys(map(int, numbers)))


@dataclass(frozen=True)
class _Bar:
    """What the builder is at, on a terminal."""

    progress: "Progress"
    task: "TaskID"

    def step(self, phase: str, done: int, total: int) -> None:
        self.progress.update(self.task, description=phase, completed=done, total=total)


@contextmanager
def _bar() -> "Iterator[_Bar]":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        yield _Bar(progress, progress.add_task("", total=None))
