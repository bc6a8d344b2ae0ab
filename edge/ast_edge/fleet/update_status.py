"""How far a node's update is: `<base>/<node>/update`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ast_edge.fleet.pointer import Scope
from ast_edge.outputs.schema import SCHEMA

UpdateState = Literal[
    "none",
    "available",
    "waiting",
    "downloading",
    "checking",
    "installing",
    "proving",
    "installed",
    "refused",
    "failed",
    "rolled_back",
]
AT_WORK: tuple[UpdateState, ...] = ("downloading", "checking", "installing")
SETTLED: tuple[UpdateState, ...] = ("installed", "refused", "failed", "rolled_back")


@dataclass(frozen=True)
class UpdateStatus:
    """Which bundle a node uses, which it is pointed to, and what becomes of that."""

    state: UpdateState
    """none: it is pointed to nothing. available: it waits for a command. waiting: for its turn, or
    to try again. proving: it is used, and has not been for long enough."""
    detail: str
    """Why, in one line."""
    installed: str
    """What the bundle in use is called, with the beginning of its sum."""
    latest: str
    """The same of the one that it is pointed to; that in use if there is none."""
    percentage: int | None = None
    """Of the download."""
    previous: str = ""
    """What a rollback would return to; empty if there is none."""
    missing: Sequence[str] = ()
    """Places of the configuration that name labels which the bundle lacks."""
    serial: int | None = None
    """Of the pointer that counts."""
    seen: Mapping[Scope, int] = field(default_factory=dict)
    """The highest that were told to this node, and to all."""

    @property
    def payload(self) -> str:
        """The status as JSON."""
        at_work = {"in_progress": self.state in AT_WORK}
        tree = {"schema": SCHEMA, **asdict(self), **at_work}
        return json.dumps(tree, ensure_ascii=False, allow_nan=False)


_STATUS = TypeAdapter(UpdateStatus)


def parse_status(payload: bytes) -> UpdateStatus | None:
    """Understand what a node has said; None if it is nothing that this ast-edge understands."""
    try:
        tree = json.loads(payload)
        if not isinstance(tree, dict) or tree.pop("schema", None) != SCHEMA:
            return None
        return _STATUS.validate_python(tree)
    except (ValueError, ValidationError, RecursionError):
        return None
