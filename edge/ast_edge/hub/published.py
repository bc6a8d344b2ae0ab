"""A bundle of ours that somebody has published: a folder of files, each with its sum."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ast_edge.base.errors import BundleError
from ast_edge.hub.errors import MissingError
from ast_edge.hub.files import LocalFile, ModelFiles

LARGEST_TEXT, LARGEST_GRAPH = 4 << 20, 2 << 30
"""Bytes. No protobuf message is larger than 2 GB."""
DESCRIPTION, CARD = "bundle.json", "MODEL_CARD.md"


@dataclass(frozen=True)
class Description:
    """What a published bundle says of itself."""

    tree: dict[str, Any]
    sums: Mapping[str, str]
    """The sha256 of each of its files."""
    size: int
    """Bytes of bundle.json itself."""
    sha256: str
    """Of bundle.json itself."""


def fetch_description(
    files: ModelFiles, sha256: str = "", largest: int = LARGEST_TEXT
) -> Description:
    """Fetch bundle.json; its sum, if it is known, pins all other files as well.

    Raises:
        MissingError: if there is none.
        HubError: if it cannot be fetched.
        BundleError: if it is damaged, too large, or names what is not in its folder.
        StorageError: if it cannot be written.
    """
    said = files.fetch(DESCRIPTION, min(LARGEST_TEXT, largest), sha256)
    try:
        text = said.path.read_bytes()
        tree = json.loads(text)
        sums = {str(name): str(sum_) for name, sum_ in tree["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise BundleError(f"{DESCRIPTION}: is malformed: {exc}") from exc
    for name in sums:
        if not is_plain(name) or name in (DESCRIPTION, CARD):
            raise BundleError(f"{DESCRIPTION}: names a file outside the folder: {name!r:.100}")
    if "model.onnx" not in sums:
        raise BundleError(f"{DESCRIPTION}: lacks 'files.model.onnx'")
    return Description(tree, sums, len(text), said.sha256)


def fetch_parts(
    files: ModelFiles, description: Description, largest: int | None = None
) -> dict[str, LocalFile]:
    """Fetch the files of a bundle, each as its sum says, of so many bytes together at most.

    Raises:
        HubError: if one cannot be fetched.
        BundleError: if one is damaged, or they are too large.
        StorageError: if one cannot be written.
    """
    parts, left = {}, largest
    for name, sha256 in sorted(description.sums.items()):
        most = 4 * LARGEST_GRAPH if left is None else left
        parts[name] = files.fetch(name, most, sha256)
        if left is not None:
            left -= _size(parts[name])
    return parts


def fetch_card(files: ModelFiles) -> str:
    """Return what is told of the model, for people; empty if nothing is."""
    try:
        return files.fetch(CARD, LARGEST_TEXT).path.read_text("utf-8", errors="replace")
    except (MissingError, OSError):
        return ""


def is_plain(name: str) -> bool:
    """Tell whether it is the name of a file in the folder itself, and no hidden one."""
    return bool(name) and name.isprintable() and name[0] != "." and not set("/\\") & set(name)


def _size(part: LocalFile) -> int:
    try:
        return part.path.stat().st_size
    except OSError as exc:
        raise BundleError(f"{part.path}: cannot be read: {exc.strerror}") from exc
