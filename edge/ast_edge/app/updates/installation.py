"""One attempt to follow a pointer: fetch, check, try, switch."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ast_edge.app.plan import plan_update
from ast_edge.app.updates.fitting import fit
from ast_edge.app.updates.ports import Ports
from ast_edge.base.errors import EngineError
from ast_edge.fleet.config import UpdatesConfig
from ast_edge.fleet.fetch import fetch
from ast_edge.fleet.places import Places
from ast_edge.fleet.pointer import Pointer
from ast_edge.fleet.record import Shelf
from ast_edge.fleet.trial import try_bundle
from ast_edge.fleet.update_status import UpdateState
from ast_edge.model.bundle import load_bundle

log = logging.getLogger(__name__)

STEP = 5
"""Per cent of a download that are worth a message."""
MOST_NAMED = 10
"""Places of the configuration that are named in one line."""


class Interrupted(Exception):
    """There is something newer to do."""


class Refused(Exception):
    """The bundle is not used, and why."""


class Say(Protocol):
    """Tells how far it is."""

    def __call__(
        self,
        state: UpdateState,
        detail: str = "",
        percentage: int | None = None,
        missing: tuple[str, ...] = (),
    ) -> None:
        """Tell it; returns at once."""
        ...


class Installation:
    """An attempt, step by step."""

    def __init__(
        self,
        pointer: Pointer,
        config: UpdatesConfig,
        shelf: Shelf,
        ports: Ports,
        say: Say,
        alive: Callable[[], None],
        give_way: Callable[[], None],
    ) -> None:
        """Take what is wanted.

        Args:
            pointer: to the bundle.
            config: where it may come from.
            shelf: where it is put.
            ports: the daemon.
            say: tells how far it is.
            alive: is called again and again.
            give_way: does the same, and raises `Interrupted` if there is something newer to do.
        """
        self._pointer, self._config, self._shelf, self._ports = pointer, config, shelf, ports
        self._say, self._alive, self._give_way = say, alive, give_way
        self._percentage = -STEP

    def fetch(self) -> Path:
        """Bring the bundle here.

        Raises:
            HubError, StorageError: it may come another time.
            BundleError: it is not what was promised.
            Interrupted: there is something newer to do.
        """
        self._say("downloading", "", 0)
        places = Places(self._config.places)
        return fetch(self._pointer, places, self._shelf, self._progress, self._pause)

    def check(self, folder: Path) -> None:
        """Find out whether it works here, beside the bundle that is in use.

        Raises:
            Refused: the configuration names labels that it lacks.
            ConfigError, BundleError, EngineError: it cannot be used here.
            Interrupted: there is something newer to do.
        """
        self._say("checking")
        self._check_labels(folder)
        plan_update(self._ports.asked(), self._pointer, folder, Path("configuration"))
        try_bundle(folder, self._ports.plan().config.engine, self._give_way)

    def switch(self) -> None:
        """Use it from now on; the record says that it is to be.

        Raises:
            EngineError: the daemon does not follow it, and goes on as it was.
        """
        self._say("installing")
        refusal = self._ports.switch(self._alive)
        if refusal or self._ports.plan().update != self._pointer:
            raise EngineError(refusal or "it could not be used after all")

    def _check_labels(self, folder: Path) -> None:
        """Say what would be gone, before anything is."""
        asked = self._ports.asked()
        if all(source.bundle is not None for source in asked.sources.values()):
            raise Refused("each source has a bundle of its own, so that it would be used by none")
        others = [b for b in self._ports.plan().bundles if self._stays(b.folder)]
        gone = fit(asked, [load_bundle(folder, sums=False), *others]).gone
        if not gone:
            return
        named = ", ".join(gone[:MOST_NAMED])
        more = f" and {len(gone) - MOST_NAMED} more" if len(gone) > MOST_NAMED else ""
        text = f"it lacks labels that the configuration names: {named}{more}"
        if not self._pointer.drop_labels:
            self._say("checking", text, None, gone)
            raise Refused(f"{text}; a pointer with drop_labels lets them go")
        log.warning("update %s: %s; they are done without", self._pointer.title, text)
        self._say("checking", text, None, gone)

    def _stays(self, folder: Path) -> bool:
        """Tell whether a bundle that is in use is that of a source of its own."""
        asked, hearings = self._ports.asked(), self._ports.plan().hearings
        return any(
            hearing.bundle.folder == folder and asked.sources[name].bundle is not None
            for name, hearing in hearings.items()
            if name in asked.sources
        )

    def _progress(self, done: int) -> None:
        self._give_way()
        percentage = min(100, done * 100 // self._pointer.size)
        if percentage >= self._percentage + STEP:
            self._percentage = percentage - percentage % STEP
            self._say("downloading", "", self._percentage)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._give_way()
            time.sleep(min(left, 0.2))
