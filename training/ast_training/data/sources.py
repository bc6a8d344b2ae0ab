"""Sources: which recordings come from one place and time, and who may learn from them."""

import hashlib
import re
from collections.abc import Mapping

from ast_training.data.clip_list import Split
from ast_training.data.packs import PackConfig

FREESOUND = re.compile(r"freesound:\s*[0-9]+")
"""An upload to Freesound has the same number in every pack."""
TAKE = re.compile(r"[._-]*[0-9]*[.][A-Za-z0-9]+$")
"""What takes of one source differ in: a trailing number, and the kind of the file."""


def source_of(name: str, pack: PackConfig, row: Mapping[str, str]) -> str:
    """Name the source of a row; without one, takes that differ in a trailing number are one."""
    text = row[pack.group] if pack.group else ""
    if found := FREESOUND.search(text):
        return found.group().replace(" ", "")
    if found := pack.group_pattern.search(text):
        return f"{pack.group_prefix or name}:{found.group()}"
    return f"{name}:{TAKE.sub('', row[pack.filename])}"


def place(source: str) -> float:
    """Place a source in [0, 1) by a hash of its name: the same in every pack and for ever."""
    return int.from_bytes(hashlib.sha256(source.encode()).digest()[:8], "big") / 2**64


def split_of(source: str, pack: PackConfig, row: Mapping[str, str]) -> Split:
    """Say what a row is for; that of another source of the pack changes nothing.

    By fixed thresholds over the place of its source, so that a pack may grow without moving
    anybody: first those to test on, then those to validate on. What may not train is divided among
    these two.
    """
    if any(row[c] in map(str, values) for c, values in pack.validation.items()):
        return "validation"
    at, held_out = place(source), pack.test_share + pack.validation_share
    if at < pack.test_share:
        return "test"
    if at < held_out:
        return "validation"
    if any(pattern.search(row[c]) for c, pattern in pack.hold_out.items()):
        return "test" if at < held_out + (1 - held_out) / 2 else "validation"
    return "train"
