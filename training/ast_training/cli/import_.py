"""Turn a published or foreign AST into a checkpoint: a file, a Hugging Face folder, or the Hub.

What the source does not say is inferred: the size from its weights, the window from the number of
patches, the labels from their number. The options below overrule it.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ast_training.model.checkpoint import Checkpoint

TOLERANCE = 1e-3
"""Of the logits; Hugging Face demanded 1e-4 of its own, with other epsilons."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `import` to the sub-commands."""
    parser = commands.add_parser(
        "import",
        help="turn a published AST into a checkpoint",
        description=__doc__,
        epilog="example: ast-train import hf:MIT/ast-finetuned-audioset-10-10-0.4593 "
        "--out audioset.safetensors",
    )
    parser.add_argument(
        "source", help=".pth, .pt, .bin, .safetensors, a folder, or hf:OWNER/NAME[@REVISION]"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".safetensors")
    parser.add_argument("--frames", type=_positive, help="window in frames of 10 ms")
    parser.add_argument("--stride", type=_positive, help="of the patches")
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="one name on every line, or AudioSet's CSV"
    )
    parser.add_argument("--activation", choices=["sigmoid", "softmax"], help="of the outputs")
    parser.add_argument("--licence", help="terms of the weights")
    parser.add_argument(
        "--check",
        type=Path,
        metavar="AUDIO",
        help="compare the first logits for a published model's sample with the published ones",
    )
    parser.add_argument("--list", action=_List, nargs=0, help="print the published models")
    parser.set_defaults(command=run)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, got {text!r}")
    return int(text)


class _List(argparse.Action):
    """Print and exit, as `--help` does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from ast_training.weights.hub import LICENCE, MEMBERS

        print(f"Weights by the authors of AST, {LICENCE}; with the logits that --check expects:")
        for member in MEMBERS:
            logits = ", ".join(f"{value:.4f}" for value in member.logits)
            print(f"\nhf:{member.name}\n  {member.quality}\n  {logits} for {member.sample}")
        parser.exit()


def run(args: argparse.Namespace) -> int:
    """Import, check if asked to, write the checkpoint, and print what it is."""
    from ast_training.data.tables import read_labels
    from ast_training.weights.foreign import read_foreign
    from ast_training.weights.hub import LICENCE, download, find_member
    from ast_training.weights.imported import import_ast

    folder, origin, licence = Path(args.source), Path(args.source).name, "as the source states"
    if args.source.startswith("hf:"):
        snapshot = download(args.source)
        folder, origin = snapshot.folder, snapshot.origin
        licence = LICENCE if find_member(args.source) else licence
    checkpoint = import_ast(
        read_foreign(folder),
        origin=origin,
        licence=args.licence or licence,
        labels=read_labels(args.labels) if args.labels else None,
        frames=args.frames,
        stride=args.stride,
        activation=args.activation,
    )
    if args.check:
        _check(checkpoint, args.source, args.check)
    checkpoint.save(args.out)
    model = checkpoint.model
    print(
        f"{args.out}: {model.labels} labels, {model.frames} frames, width {model.width}, "
        f"{model.depth} blocks, stride {model.stride[0]} by {model.stride[1]}, {model.activation}"
    )
    return 0


def _check(checkpoint: "Checkpoint", source: str, audio: Path) -> None:
    """Compare with the published logits.

    Raises:
        BundleError: if they differ.
        ConfigError: if there are none for this source.
    """
    from ast_edge.base.errors import BundleError, ConfigError
    from ast_training.weights.hub import find_member
    from ast_training.weights.imported import first_logits

    member = find_member(source)
    if member is None:
        raise ConfigError(f"--check: expected a published model (--list), got {source!r}")
    found = first_logits(checkpoint, audio)
    numbers = [", ".join(f"{value:.4f}" for value in values) for values in (found, member.logits)]
    # Written so that NaN does not pass.
    if not all(abs(f - e) <= TOLERANCE for f, e in zip(found, member.logits, strict=True)):
        raise BundleError(
            f"expected the logits {numbers[1]} for {member.sample}, got {numbers[0]} for {audio}; "
            "nothing was written"
        )
    print(f"{audio}: logits {numbers[0]}, published {numbers[1]}: equal to {TOLERANCE:g}")
