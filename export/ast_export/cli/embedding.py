"""Let a bundle that is there give embeddings, and give it a bank: what `ast-edge enrol` needs.

Nothing is computed anew: what the heads of its graph read becomes an output. Its scores are
compared before anything is written.
"""

import argparse
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `embedding` to the sub-commands."""
    parser = commands.add_parser(
        "embedding",
        help="let an existing bundle give embeddings, for own sounds",
        description=__doc__,
        epilog="example: ast-export embedding home --bank rooms/ --bank voices/ --out bundles/home",
    )
    parser.add_argument("bundle", help="folder of a bundle, or the name of one that is included")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; may be the same")
    add_bank(parser)
    parser.set_defaults(command=run)


def add_bank(parser: argparse.ArgumentParser) -> None:
    """Add the option that gives a bundle a bank."""
    parser.add_argument(
        "--bank",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="embed 300 recordings of this folder, which own sounds are learnt against where a "
        "user has none (can be repeated: as many of each)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the bundle and say how far its scores have moved."""
    from ast_edge.model.bundle import find_bundle
    from ast_export.embedded import embed

    moved = embed(find_bundle(args.bundle), args.out, args.bank)
    print(f"scores moved by {moved:.1e} at most; wrote {args.out}")
    return 0
