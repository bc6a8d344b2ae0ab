"""Which detected event is which annotated one: each is matched once, as many as can be."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def match(
    references: Sequence[Item], detected: Sequence[Item], fits: Callable[[Item, Item], bool]
) -> list[tuple[int, int]]:
    """Return a largest possible set of pairs that fit, as positions (reference, detected).

    Source: augmenting paths (Kuhn 1955); there are as many pairs as with sed_eval's "optimal".
    """
    candidates = [
        [there for there, two in enumerate(detected) if fits(one, two)] for one in references
    ]
    reference_of: dict[int, int] = {}
    detected_of: dict[int, int] = {}
    for start in range(len(references)):
        came_from: dict[int, int] = {}  # from which reference a detected event was reached
        waiting, free = [start], None
        while waiting and free is None:
            reference = waiting.pop()
            for there in candidates[reference]:
                if there in came_from:
                    continue
                came_from[there] = reference
                if there not in reference_of:
                    free = there
                    break
                waiting.append(reference_of[there])
        while free is not None:  # on the way back everyone takes what was reached from it
            reference = came_from[free]
            left = detected_of.get(reference)
            reference_of[free], detected_of[reference] = reference, free
            free = left
    return sorted(detected_of.items())
