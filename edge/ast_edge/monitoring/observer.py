"""What the daemon tells of its sources."""

from collections.abc import Sequence
from typing import Protocol

from ast_edge.audio.health import Health
from ast_edge.audio.stream import Block
from ast_edge.frontend.listener import Window


class Observer(Protocol):
    """Is told what happens, in the daemon's thread."""

    def heard(self, block: Block) -> None:
        """Sound has arrived."""
        ...

    def silent(self, source: str) -> None:
        """A live source has delivered nothing for 5 s."""
        ...

    def health(self, source: str, health: Health) -> None:
        """How well the sound of a source arrives has changed; at first it is taken to be OK."""
        ...

    def ended(self, source: str, error: BaseException | None) -> None:
        """A source is over, or was removed; one of the same name may follow it."""
        ...

    def scored(self, windows: Sequence[Window], seconds: float, dropped: int) -> None:
        """Windows were scored in so many seconds; so many were dropped since the start.

        The seconds are 0 if the engine need not look at any of them.
        """
        ...
