"""The command `ast-export`."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ast_edge.errors import AstError

if TYPE_CHECKING:
    from ast_export.parity import Parity


def main(argv: list[str] | None = None) -> int:
    """Run one sub-command and return its exit status (0, or one of sysexits.h)."""
    parser = argparse.ArgumentParser(prog="ast-export", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    onnx = commands.add_parser(
        "onnx",
        help="turn a checkpoint into a bundle",
        description="Turn a checkpoint into a bundle: graph, labels, thresholds and model card. "
        "The graph is compared with the model in every engine; beyond the limits nothing is "
        "written.",
        epilog="example: ast-export onnx runs/home/best.safetensors --audio recordings/ "
        "--out bundles/home",
    )
    onnx.add_argument("checkpoint", type=Path)
    onnx.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    onnx.add_argument("--name", help="name of the bundle (that of the folder)")
    onnx.add_argument("--audio", type=Path, required=True, help="recordings to compare on")
    onnx.add_argument(
        "--weights", choices=["fp16", "fp32"], default="fp32", help="how the file stores the weights"
    )
    onnx.set_defaults(command=_onnx)
    args = parser.parse_args(argv)
    try:
        return int(args.command(args))
    except AstError as exc:
        print(f"ast-export: {exc}", file=sys.stderr)
        return exc.exit_code
    except ModuleNotFoundError as exc:
        print(f"ast-export: {exc.name} is missing; pip install 'ast-edge[export]'", file=sys.stderr)
        return os.EX_UNAVAILABLE


def _onnx(args: argparse.Namespace) -> int:
    from ast_export.writer import ParityError, write_bundle
    from ast_training.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(args.checkpoint)
    try:
        reports = write_bundle(
            checkpoint,
            args.out,
            name=args.name or args.out.resolve().name,
            audio=args.audio,
            halve=args.weights == "fp16",
        )
    except ParityError as exc:
        _print_reports(exc.reports)
        print(f"ast-export: {exc}; nothing was written", file=sys.stderr)
        return os.EX_DATAERR
    _print_reports(reports)
    print(f"wrote {args.out}")
    return 0


def _print_reports(reports: "list[Parity]") -> None:
    for r in reports:
        print(
            f"{r.engine:12s} {r.precision:5s} largest difference {r.largest:.1e} "
            f"(limit {r.limit:.0e}), mean {r.mean:.1e}, same first label {r.top1:.1%}"
        )


if __name__ == "__main__":
    sys.exit(main())
