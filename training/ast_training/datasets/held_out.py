"""Which recordings of a set without a split validate."""

import hashlib
from collections.abc import Iterable

SHARE = 0.15
"""Of the groups of every label."""


def choose_groups(recordings: Iterable[tuple[str, tuple[str, ...]]]) -> set[str]:
    """Choose the groups that validate: of every label with two groups or more at least one.

    The choice is by a hash of the group's name: the same on every machine, in any order.

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
        in_hash_order = sorted(groups, key=lambda group: hashlib.sha256(group.encode()).digest())
        if len(groups) > 1:
            chosen.update(in_hash_order[: max(1, round(SHARE * len(groups)))])
    return chosen
