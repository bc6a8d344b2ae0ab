"""Turn a checkpoint, an average or a whole ensemble into a bundle: graph, labels, thresholds, card.

The graph is compared with the model in every engine on recordings; beyond the limits nothing is
written.
"""

import argparse
import os
import sys
from pathlib import Path

from ast_export.cli.embedding import add_bank


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `onnx` to the sub-commands."""
    parser = commands.add_parser(
        "onnx",
        help="turn checkpoints into a bundle",
        description=__doc__,
        epilog="example: ast-export onnx runs/home/best.safetensors --audio recordings/ "
        "--out bundles/home",
    )
    parser.add_argument(
        "checkpoints",
        type=Path,
        nargs="+",
        metavar="CHECKPOINT",
        help="several become an ensemble: one graph that averages their probabilities",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--name", help="name of the bundle (that of the folder)")
    recordings = parser.add_mutually_exclusive_group(required=True)
    recordings.add_argument("--audio", type=Path, help="folder of recordings to compare on")
    recordings.add_argument(
        "--labelled",
        type=Path,
        help="the same, in sub-folders named as labels: mAP must not change either",
    )
    parser.add_argument(
        "--average", action="store_true", help="average the weights instead of the probabilities"
    )
    parser.add_argument(
        "--precision",
        choices=["fp32", "fp16", "int8"],
        default="fp32",
        help="arithmetic of the graph; fp16 is for NVIDIA GPUs, int8 for large models on "
        "processors with VNNI (fp32)",
    )
    parser.add_argument(
        "--weights",
        choices=["fp32", "fp16", "int8"],
        default="fp32",
        help="how the file of an fp32 graph stores the weights: half or a quarter the size (fp32)",
    )
    parser.add_argument(
        "--merge-tokens",
        type=int,
        default=0,
        metavar="COUNT",
        help="let each block but the last merge so many tokens that are alike: fewer operations, "
        "for models of square patches without scores of steps; what it changes is a line of its "
        "own in the report (0)",
    )
    parser.add_argument("--opset", type=int, default=18, help="version of ONNX operators (18)")
    parser.add_argument(
        "--frame-curve",
        action="store_true",
        help="score every step of the window too, without training: for models without a frame "
        "head, such as those of AudioSet, whose events else lie where they were to a hop",
    )
    parser.add_argument(
        "--clip-gate",
        action="store_true",
        help="let a step of a model with a frame head score the geometric mean of its own "
        "probability and its window's, as those of a curve do",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="CONFIG",
        help="take thresholds and durations of its `labels` as the bundle's own: a configuration "
        "that `ast-edge tune` has written",
    )
    parser.add_argument(
        "--robustness",
        type=Path,
        metavar="JSON",
        help="what benchmarks/robustness.py has measured of this bundle, for its card",
    )
    parser.add_argument(
        "--evaluation",
        type=Path,
        metavar="JSON",
        help="what `ast-edge evaluate` has measured of this bundle, for its card",
    )
    parser.add_argument(
        "--without",
        metavar="LABEL",
        action="append",
        default=[],
        help="leave this label out, by name or machine id (can be repeated); the card says so",
    )
    parser.add_argument(
        "--embedding",
        action="store_true",
        help="give embeddings beside scores, so that `ast-edge enrol` can add own sounds",
    )
    add_bank(parser)
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Write the bundle and print how far it is from the model."""
    from ast_export.cli.reports import print_reports
    from ast_export.label_selection import leave_out, wanted_alone
    from ast_export.merged import load_members
    from ast_export.writer import ExportOptions, ParityError, write_bundle
    from ast_training.run.averaging import average_checkpoints
    from ast_training.run.calibration import folded

    options = ExportOptions(
        name=args.name or args.out.resolve().name,
        audio=args.audio,
        labelled=args.labelled,
        precision=args.precision,
        weights=args.weights,
        opset=args.opset,
        merge_tokens=args.merge_tokens,
        frame_curve=args.frame_curve,
        clip_gate=args.clip_gate,
        settings=args.settings,
        robustness=args.robustness,
        evaluation=args.evaluation,
        embedding=args.embedding,
        bank=tuple(args.bank),
    )
    average = args.average and args.checkpoints[1:]
    members = [average_checkpoints(args.checkpoints)] if average else load_members(args.checkpoints)
    members = [wanted_alone(folded(member)) for member in members]
    if args.without:
        members = [leave_out(member, args.without) for member in members]
    try:
        reports = write_bundle(members, args.out, options)
    except ParityError as exc:
        print_reports(exc.reports)
        print(f"ast-export: {exc}; nothing was written", file=sys.stderr)
        return os.EX_DATAERR
    print_reports(reports)
    print(f"wrote {args.out}")
    return 0
