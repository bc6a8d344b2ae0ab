"""The folder of a bundle: its description, and taking the place of an older one."""

import json
import shutil
from pathlib import Path
from typing import Any

from ast_edge.base.errors import BundleError


def check_place(out: Path) -> None:
    """Refuse to replace anything but a bundle.

    Raises:
        BundleError: if `out` is something else.
    """
    if out.exists() and not (out / "bundle.json").is_file():
        raise BundleError(f"{out}: exists and is no bundle to replace; choose a new folder")


def write_json(path: Path, tree: dict[str, Any]) -> None:
    """Write `bundle.json`."""
    path.write_text(json.dumps(tree, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def replace_folder(folder: Path, out: Path) -> None:
    """Put a finished folder in the place of an older one, which is removed last."""
    if out.exists():
        old = out.with_name(f".{out.name}-old")
        out.rename(old)
        try:
            folder.rename(out)
        except OSError:
            old.rename(out)
            raise
        shutil.rmtree(old)
    else:
        folder.rename(out)
