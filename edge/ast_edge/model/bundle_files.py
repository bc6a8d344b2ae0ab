"""The files of a bundle: what belongs to it, and whether it is what it was."""

import hashlib
import stat
from pathlib import Path

from ast_edge.base.errors import BundleError
from ast_edge.base.files import file_sha256
from ast_edge.model.onnx_file import external_files
from ast_edge.model.own_labels import HEADS_FILE

BANK_FILE = "bank.npz"
"""Embeddings of sound of all kinds, which own labels are learnt against."""


def graph_sha256(sums: dict[str, str]) -> str:
    """Return the sum of the graph by those of its files, weights beside it included."""
    names = sorted(sums.keys() - {BANK_FILE, HEADS_FILE})
    if names == ["model.onnx"]:
        return sums["model.onnx"]
    return hashlib.sha256("\n".join(f"{sums[name]} {name}" for name in names).encode()).hexdigest()


def own_file(folder: Path, name: str) -> int:
    """Return the size of a file of the folder; a pipe or a device could be read for ever.

    Raises:
        BundleError: if it is none, or a link that leads out of the folder.
    """
    path = folder / name
    status = path.stat()
    if path.resolve().parent != folder.resolve():
        raise BundleError(
            f"{path}: is a link that leads out of the folder; put the file itself there"
        )
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{path}: expected a file, got something else")
    return status.st_size


def verify_files(folder: Path, sums: dict[str, str]) -> None:
    """Compare every file with its sum."""
    if "model.onnx" not in sums:
        raise KeyError("files.model.onnx")
    for name, expected in sums.items():
        if Path(name).name != name:
            raise BundleError(f"{folder}: names a file outside the folder: {name!r}")
        own_file(folder, name)
        found = file_sha256(folder / name)
        if found != expected:
            raise BundleError(
                f"{folder / name}: is damaged or was changed: expected sha256 {expected[:16]}…, "
                f"got {found[:16]}…; install the bundle again"
            )
    for name in sorted(external_files(folder / "model.onnx") - sums.keys()):
        raise BundleError(
            f"{folder / 'model.onnx'}: takes weights from {name!r:.100}, which is none of the "
            "bundle's files"
        )
