"""Put a checkpoint and its card into a model repository of the Hugging Face Hub.

What is sent: `checkpoint.safetensors` without the state of its training, `recipe.yaml`, both with
the names of files in place of their paths, and the card as `README.md`. A repository is made
private unless --public says otherwise. The token is that of HF_TOKEN or of `hf auth login`.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ast_training.model.checkpoint import Checkpoint
    from ast_training.weights.hub_upload import Repository

FILE = "checkpoint.safetensors"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `push` to the sub-commands."""
    parser = commands.add_parser(
        "push",
        help="put a checkpoint and its card on the Hugging Face Hub",
        description=__doc__,
        epilog="example: ast-train push runs/mine/best.safetensors somebody/mine --dry-run",
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("repository", metavar="OWNER/NAME")
    parser.add_argument("--public", action="store_true", help="for everybody to read")
    parser.add_argument("--message", help="of the commit")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be sent, and send nothing"
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Send, or show what would be sent."""
    import tempfile
    from dataclasses import replace

    from ast_edge.base.errors import ConfigError
    from ast_training.model.checkpoint import load_checkpoint
    from ast_training.recipe.settings import without_places
    from ast_training.report.checkpoint_card import checkpoint_card
    from ast_training.weights.hub_upload import HubUpload

    upload = HubUpload(args.repository)
    found = load_checkpoint(args.checkpoint)
    found.build()  # or nobody could use it
    checkpoint = replace(found, state={}, recipe=without_places(found.recipe))
    card = checkpoint_card(checkpoint, args.repository.partition("/")[2], FILE)
    there = _look(upload.look, args.dry_run)
    if there and there.exists and not there.private and not args.public:
        raise ConfigError(
            f"{args.repository}: everybody can read it; say --public, or choose another"
        )
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / FILE
        checkpoint.save(path)
        files: dict[str, bytes | Path] = {"README.md": card.encode(), FILE: path}
        files |= _recipe(checkpoint)
        print(_plan(args, upload.endpoint, there))
        for file, content in files.items():
            size = content.stat().st_size if isinstance(content, Path) else len(content)
            again = ", in place of the one there" if there and file in there.files else ""
            print(f"  {file}: {_size(size)}{again}")
        if args.dry_run:
            print(f"nothing was sent (--dry-run); the card:\n\n{card}", end="")
            return 0
        message = args.message or f"ast-train push: {_said(checkpoint)}"
        print(upload.send(files, private=not args.public, message=message))
    return 0


def _recipe(checkpoint: "Checkpoint") -> "dict[str, bytes | Path]":
    import yaml

    if not checkpoint.recipe:
        return {}
    text = yaml.safe_dump(checkpoint.recipe, sort_keys=False, allow_unicode=True)
    return {"recipe.yaml": text.encode()}


def _look(look: "Callable[[], Repository]", dry: bool) -> "Repository | None":
    """Ask what is there; when nothing is to be sent, the Hub need not be reached."""
    from ast_training.base.errors import TrainingError

    try:
        return look()
    except TrainingError as exc:
        if not dry:
            raise
        print(f"what is there is not known: {exc}")
        return None


def _plan(args: argparse.Namespace, endpoint: str, there: "Repository | None") -> str:
    readers = "for everybody to read" if args.public else "private"
    if there and there.exists:
        readers = "private" if there.private else "for everybody to read"
    made = "" if there is None else "there, " if there.exists else "to be made, "
    return f"{endpoint}/{args.repository} ({made}{readers}):"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _said(checkpoint: "Checkpoint") -> str:
    name = checkpoint.recipe.get("name", "an imported model")
    return f"{name}, {checkpoint.epoch} epochs" if checkpoint.epoch else str(name)
