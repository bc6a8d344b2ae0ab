"""Compare what an engine says on this device with what the bundle's graph says.

The reference is ONNX Runtime on the processor, in the arithmetic of the graph, which the bundle was
compared with PyTorch through; no PyTorch is needed here. To verify ONNX Runtime itself, it is
OpenVINO in fp32.
"""

import argparse
import os
import sys
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `verify` to the sub-commands."""
    parser = commands.add_parser(
        "verify",
        help="compare an engine on this device with the bundle",
        description=__doc__,
        epilog="example: ast-export verify bundles/home --engine tensorrt --audio recordings/",
    )
    parser.add_argument("bundle", help="folder of a bundle, or the name of one that is included")
    parser.add_argument("--engine", default="auto", help="engine to verify (auto)")
    parser.add_argument(
        "--precision", default="auto", help="its arithmetic, as in engine.precision"
    )
    recordings = parser.add_mutually_exclusive_group(required=True)
    recordings.add_argument("--audio", type=Path, help="folder of recordings to compare on")
    recordings.add_argument(
        "--labelled",
        type=Path,
        help="the same, in sub-folders named as labels: mAP must not change either",
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print the parity of the engine; 65 if it is beyond the limits."""
    from ast_edge.model.bundle import find_bundle, load_bundle
    from ast_export.cli.reports import print_reports
    from ast_export.recordings import audio_windows, labelled_windows
    from ast_export.verification import engine_config, verify

    bundle = load_bundle(find_bundle(args.bundle))
    labelled = None
    if args.labelled:
        labelled = labelled_windows(args.labelled, bundle.labels, bundle.fbank, bundle.frames)
        windows = labelled.windows
    else:
        windows = audio_windows(args.audio, bundle.fbank, bundle.frames)
    report = verify(bundle, engine_config(args.engine, args.precision), windows, labelled)
    print_reports([report])
    if report.holds:
        return 0
    print("ast-export: the engine does not say what the bundle says", file=sys.stderr)
    return os.EX_DATAERR
