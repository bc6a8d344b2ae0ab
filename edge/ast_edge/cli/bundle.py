"""Models: which there are, fetching published ones, looking at one and checking it."""

import argparse
import os
from typing import TYPE_CHECKING

from rich.console import Console

from ast_edge.cli.terminal import log_to_stderr

if TYPE_CHECKING:
    from ast_edge.hub.delivery import Delivery
    from ast_edge.hub.download_progress import DownloadProgress
    from ast_edge.hub.files import ModelFiles
    from ast_edge.hub.origin import Origin
    from ast_edge.hub.trial import Timing
    from ast_edge.model.bundle import Bundle

_ENGINES = ["auto", "tensorrt", "openvino", "onnxruntime"]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `bundle` to the sub-commands."""
    parser = commands.add_parser(
        "bundle",
        help="list, fetch, show and check models",
        description=__doc__,
        epilog="example: ast-edge bundle get audioset",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser(
        "list",
        help="the models that are here, and those that can be fetched by name",
        description="List the models that are here, and those that can be fetched by name.",
    ).set_defaults(command=_list)
    _add_get(actions)
    for name, action, text in (
        ("show", _show, "what a model is"),
        ("verify", _verify, "check files, graph and labels, and run it once"),
    ):
        one = actions.add_parser(name, help=text, description=f"{name.capitalize()}: {text}.")
        one.add_argument("bundle", metavar="NAME|FOLDER", help="a bundle")
        one.add_argument("--engine", default="auto", choices=_ENGINES, help="(auto)")
        one.add_argument(
            "--measure", action="store_true", help="time a window here and suggest `hop`"
        )
        one.set_defaults(command=action)


def _add_get(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    get = actions.add_parser(
        "get",
        help="fetch a published model and make a bundle of it, without PyTorch",
        description=(
            "Fetch an Audio Spectrogram Transformer that was exported to ONNX in the layout of "
            "transformers, or a bundle. HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE mean what they "
            "mean to the hub's own client."
        ),
        epilog="example: ast-edge bundle get audioset --precision int8",
    )
    get.add_argument(
        "origin",
        metavar="NAME|hf:OWNER/NAME[@REVISION]|URL|FOLDER",
        help="a name that `bundle list` has, a repository of the hub, or where the files lie",
    )
    get.add_argument("--name", help="what to call the bundle (as what it comes from)")
    get.add_argument("--precision", default="fp32", choices=["fp32", "fp16", "int8"], help="(fp32)")
    get.add_argument("--sha256", default="", metavar="SUM", help="what the graph's sum must be")
    get.add_argument(
        "--frame-curve",
        action="store_true",
        help="score every step of the window too, without training, so that events lie where they "
        "were to a step and not to a hop",
    )
    get.add_argument("--offline", action="store_true", help="use what was fetched before")
    get.add_argument("--engine", default="auto", choices=_ENGINES, help="to try it with (auto)")
    get.set_defaults(command=_get)


def _list(args: argparse.Namespace) -> int:
    from ast_edge.cli.bundle_view import print_list

    print_list(Console(highlight=False))
    return 0


def _get(args: argparse.Namespace) -> int:
    """Fetch, install and try a model."""
    from ast_edge.engines.config import EngineConfig
    from ast_edge.hub.delivery import Wish, deliver
    from ast_edge.hub.download_progress import DownloadProgress
    from ast_edge.hub.known import KNOWN
    from ast_edge.hub.origin import hub_endpoint, parse_origin

    log_to_stderr()
    endpoint = hub_endpoint()
    origin = parse_origin(args.origin, endpoint)
    name = args.name or (args.origin if args.origin in KNOWN else origin.suggested_name)
    wish = Wish(name, args.precision, args.sha256.lower(), args.frame_curve)
    with DownloadProgress() as progress:
        files = _files(origin, endpoint, progress, offline=args.offline)
        delivery = deliver(files, wish, EngineConfig(name=args.engine))
    _print_delivery(delivery, files.origin, args.engine)
    return 0


def _files(
    origin: "Origin", endpoint: str, progress: "DownloadProgress", *, offline: bool
) -> "ModelFiles":
    from ast_edge.engines.trt.engine_cache import cache_folder
    from ast_edge.hub.files import FolderFiles, RemoteFiles
    from ast_edge.hub.web import Web

    if origin.kind == "folder":
        return FolderFiles(origin)
    offline = offline or os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")
    cache = cache_folder() / "models"
    return RemoteFiles(origin, Web(endpoint), endpoint, cache, progress, offline=offline)


def _print_delivery(delivery: "Delivery", origin: "Origin", engine: str) -> None:
    from ast_edge.cli.bundle_view import is_tuned, print_line, summary
    from ast_edge.hub.description import CHECKED
    from ast_edge.hub.trial import fastest

    console = Console(highlight=False)
    bundle, graph = delivery.bundle, delivery.graph
    print_line(console, "from", origin.title)
    print_line(console, "graph", f"sha256 {graph.sha256}, by {CHECKED[graph.checked]}")
    print_line(console, "bundle", f"{bundle.folder}: {summary(bundle)}")
    timings = _measure(bundle, engine, console)
    best, name = fastest(timings), bundle.folder.name
    other = f" --engine {best.engine.name}" if best is not timings[0] else ""
    what = f"listen --bundle {name} --hop {best.pace.hop:g}" if best.pace.hop else ""
    print_line(console, "try", f"ast-edge {what or f'tag --bundle {name}'}{other}")
    use = f"bundle: {name}"
    if not is_tuned(bundle.folder):
        use += "\nand name the labels that matter: no threshold is tuned"
    print_line(console, "use", use)


def _measure(bundle: "Bundle", engine: str, console: Console) -> "list[Timing]":
    """Time a window in every engine that is asked for, and say what fits."""
    from ast_edge.base.errors import EngineError
    from ast_edge.cli.bundle_view import print_line
    from ast_edge.engines.choice import ENGINES
    from ast_edge.hub.trial import advice, time_engines

    load, cores = os.getloadavg()[0], os.cpu_count() or 1  # of the last minute, without ours
    timings = time_engines(bundle, list(ENGINES) if engine == "auto" else [engine])
    if not timings:
        raise EngineError(f"no engine here runs {bundle.name!r}; see: ast-edge bundle verify")
    for timing in timings:
        print_line(console, "engine", f"{timing.pace.seconds:.2g} s a window: {timing.description}")
    print_line(console, "fits", "\n".join(advice(timings)))
    if load > cores:
        print_line(
            console,
            "busy",
            f"{load:.1f} programs at once on {cores} cores: these times are too long; later: "
            f"ast-edge bundle show {bundle.folder.name} --measure",
        )
    return timings


def _show(args: argparse.Namespace) -> int:
    """Print what a bundle says of itself."""
    from ast_edge.cli.bundle_view import print_bundle
    from ast_edge.model.bundle import find_bundle, load_bundle

    log_to_stderr()
    bundle = load_bundle(find_bundle(args.bundle), sums=args.measure)
    console = Console(highlight=False)
    print_bundle(console, bundle)
    if args.measure:
        _measure(bundle, args.engine, console)
    return 0


def _verify(args: argparse.Namespace) -> int:
    """Check a bundle; what is wrong is an error with its exit code."""
    from ast_edge.cli.bundle_view import parity_lines, print_line, size
    from ast_edge.hub.outline import read_outline
    from ast_edge.model.bundle import find_bundle, load_bundle

    log_to_stderr()
    console = Console(highlight=False)
    bundle = load_bundle(find_bundle(args.bundle))
    print_line(console, "files", f"{size(bundle.folder)}, each as its sum says")
    print_line(console, "labels", f"{len(bundle.labels)}, each with a topic of its own")
    outline = read_outline(bundle.onnx)
    strange = f", operators of its own: {', '.join(outline.strange)}" if outline.strange else ""
    ports = "; ".join(map(str, (*outline.inputs, *outline.outputs)))
    print_line(console, "graph", f"{ports}{strange}")
    _try(bundle, args, console)
    if args.measure:
        _measure(bundle, args.engine, console)
    for line in parity_lines(bundle.folder):
        print_line(console, "parity", line)
    return 0


def _try(bundle: "Bundle", args: argparse.Namespace, console: Console) -> None:
    """Score silence with a bundle."""
    from ast_edge.cli.bundle_view import print_line
    from ast_edge.engines.choice import open_engine
    from ast_edge.engines.config import EngineConfig

    engine = open_engine(bundle, EngineConfig(name=args.engine))
    engine.close()
    print_line(console, "engine", f"{engine.description}: scores silence with probabilities")
