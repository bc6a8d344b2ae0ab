"""Turn a checkpoint into a folder that Hugging Face's transformers loads.

`ASTForAudioClassification` and `ASTFeatureExtractor` take it with `from_pretrained`. Patches must
be square, and the front end AST's own (Hann windows).
"""

import argparse
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `export-hf` to the sub-commands."""
    parser = commands.add_parser(
        "export-hf",
        help="turn a checkpoint into a Hugging Face folder",
        description=__doc__,
        epilog="example: ast-train export-hf runs/home/best.safetensors --out home-hf",
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Export, and print where to."""
    from ast_training.model.checkpoint import load_checkpoint
    from ast_training.weights.hf_folder import write_hf_folder

    write_hf_folder(load_checkpoint(args.checkpoint), args.out)
    print(f"wrote {args.out}")
    return 0
