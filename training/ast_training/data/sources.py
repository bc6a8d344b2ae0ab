"""Sources: which recordings come from one place and time, and who may learn from them.

Packs and prepared sets place a source by one hash of its name, but differ in two rules, for joining
these would move sources of packs to another split, and what was held out would have trained:

- Takes without a group: `source_of` of a pack takes all names of digits alone for one source, and
  knows no space or bracket before the number of a take; `source_of_name` does.
- Shares: a pack holds out by thresholds over places (`split_of`), so that it may grow without
  moving anybody. Of a set that is prepared once a share of every label's sources is held out, at
  least one (`choose_groups`): thresholds would often leave few recordings without any.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from ast_training.data.clip_list import Split
from ast_training.data.packs import PackConfig

FREESOUND = re.compile(r"freesound:\s*[0-9]+")
"""An upload to Freesound has the same number in every pack."""
TAKE = re.compile(r"[._-]*[0-9]*[.][A-Za-z0-9]+$")
"""What takes of one source differ in: a trailing number, and the kind of the file."""
SHARE = 0.15
"""Of the sources of every label, that validate in a set without a split."""


def source_of(name: str, pack: PackConfig, row: Mapping[str, str]) -> str:
    """Name the source of a row; without one, takes that differ in a trailing number are one."""
    text = row[pack.group] if pack.group else ""
    if found := FREESOUND.search(text):
        return found.group().replace(" ", "")
    if found := pack.group_pattern.search(text):
        return f"{pack.group_prefix or name}:{found.group()}"
    return f"{name}:{TAKE.sub('', row[pack.filename])}"


def source_of_clip(pack_name: str, pack: PackConfig, name: str, group: str) -> str:
    """Name the source of a recording of a pack that is a prepared set, by its name or group there.

    The pack's own `group_pattern` reads the name, and knows better than the set.
    """
    if "group_pattern" in pack.model_fields_set and (found := pack.group_pattern.search(name)):
        return f"{pack.group_prefix or pack_name}:{found.group()}"
    if found := FREESOUND.search(group):
        return found.group().replace(" ", "")
    return f"{pack.group_prefix or pack_name}:{group}"


def freesound(number: str) -> str:
    """Name an upload to Freesound as all packs do; of what is no number the name is empty."""
    return f"freesound:{number}" if number.isdecimal() else ""


def source_of_name(name: str) -> str:
    """Name the source of a recording of a set: takes that differ in a trailing number are of one.

    A name that is nothing but a number tells of no source, and stands for itself.
    """
    path = PurePath(name)
    stem = re.sub(r"[\W_]*[0-9]*\W*$", "", path.stem)
    return (path.parent / stem).as_posix() if stem else name


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


def choose_groups(recordings: Iterable[tuple[str, tuple[str, ...]]]) -> set[str]:
    """Choose the groups of a set that validate: of every label with two or more at least one.

    Those with the first places: the same on every machine, in any order.

    Args:
        recordings: group and labels of each; recordings of a group (a speaker, a place, a long
            recording that was cut up) are never divided.
    """
    groups_of: dict[str, set[str]] = {}
    for group, labels in recordings:
        for label in labels or ("",):
            groups_of.setdefault(label, set()).add(group)
    chosen: set[str] = set()
    for groups in groups_of.values():
        in_order = sorted(groups, key=lambda group: (place(group), group))
        if len(groups) > 1:
            chosen.update(in_order[: max(1, round(SHARE * len(groups)))])
    return chosen
