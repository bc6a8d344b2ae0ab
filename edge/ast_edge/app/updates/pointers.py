"""The pointers that a node was told: which one counts, and why another does not."""

import logging
from collections.abc import Mapping

from ast_edge.fleet.places import Places
from ast_edge.fleet.pointer import SCOPES, Pointer, PointerRefused, Scope, parse_pointer
from ast_edge.fleet.record import Seen

log = logging.getLogger(__name__)

_SAID: dict[Scope, str] = {"node": "this node", "all": "all nodes"}


class Pointers:
    """What stands on the topics of pointers now."""

    def __init__(self) -> None:
        """Know of none."""
        self._accepted: dict[Scope, Pointer] = {}
        self._refused: dict[Scope, str] = {}

    @property
    def counting(self) -> Pointer | None:
        """The one that counts: that to this node, else that to all; none if that is refused."""
        for scope in SCOPES:
            if scope in self._refused:
                return None
            if scope in self._accepted:
                return self._accepted[scope]
        return None

    @property
    def refusal(self) -> str:
        """Why none counts; empty if one does, or there is none."""
        if self.counting:
            return ""
        return next((self._refused[scope] for scope in SCOPES if scope in self._refused), "")

    def judge(
        self, scope: Scope, payload: bytes, places: Places | None, seen: Mapping[Scope, Seen]
    ) -> Mapping[Scope, Seen]:
        """Take a pointer or log why not, and return what has been seen by now.

        An empty payload takes the pointer away; where there are no places, none is taken.
        """
        self._accepted.pop(scope, None)
        self._refused.pop(scope, None)
        if not payload or places is None:
            return seen
        try:
            pointer = parse_pointer(payload)
            if not places.allow(pointer.url):
                raise PointerRefused(f"{pointer.url} is none of the places that updates allow")
            _check_serial(pointer, seen.get(scope))
        except PointerRefused as exc:
            self._refused[scope] = f"the pointer to {_SAID[scope]}: {exc}"
            log.warning("%s; nothing changes", self._refused[scope])
            return seen
        self._accepted[scope] = pointer
        return {**seen, scope: Seen(pointer.serial, pointer.digest)}


def _check_serial(pointer: Pointer, seen: Seen | None) -> None:
    if seen and pointer.serial < seen.serial:
        raise PointerRefused(
            f"it is an old one that has come back: it has serial {pointer.serial}, and "
            f"{seen.serial} was there already"
        )
    if seen and pointer.serial == seen.serial and pointer.digest != seen.digest:
        raise PointerRefused(f"it has the serial {seen.serial} of another one: give it a higher")
