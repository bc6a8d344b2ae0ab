"""A node's model updates: which pointer counts, and what is done about it, in a thread."""

import contextlib
import logging
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

from ast_edge import __version__
from ast_edge.app.updates.installation import Installation, Interrupted, Refused
from ast_edge.app.updates.pointers import Pointers
from ast_edge.app.updates.ports import Ports
from ast_edge.app.updates.proof import Proof
from ast_edge.base.errors import AstError, BundleError
from ast_edge.base.mailbox import Mailbox
from ast_edge.fleet.config import UpdatesConfig
from ast_edge.fleet.places import Places
from ast_edge.fleet.pointer import Pointer, Scope, is_at_least
from ast_edge.fleet.record import Record, Settled, Shelf
from ast_edge.fleet.update_status import UpdateState, UpdateStatus
from ast_edge.hub.errors import HubError, StorageError

log = logging.getLogger(__name__)

RETRY_FIRST, RETRY_MAX = 30.0, 3600.0
"""Seconds between attempts of what may go well another time: a server, a disk."""
MOST_DAMAGED = 3
"""Downloads that are not what was promised: a mirror may be in the middle of its own."""
LOOK_SECONDS = 1.0
"""Between two looks at a bundle that is new."""
CLOSE_SECONDS = 3.0


class Updater:
    """Follows pointers and commands; all of its methods but `close` return at once.

    Whatever happens is logged and told; what a thread of ours may die of costs the attempt it was
    at, which is made again. Nothing here asks the wall clock.
    """

    def __init__(self, node: str, config: UpdatesConfig | None, ports: Ports) -> None:
        """Take the node's name; nothing is done before `start`."""
        self._ports, self._shelf = ports, Shelf(node)
        self._mailbox = Mailbox("updates", self._recover)
        self._record = self._shelf.read() if config else Record()
        self._config = config
        self._told: dict[Scope, bytes] = {}
        self._pointers = Pointers()
        self._turn = 0  # of the attempt that is to come: an older one is not made any more
        self._failures, self._damaged = 0, 0
        self._proof: Proof | None = None
        self._begun = ""  # digest of the pointer whose turn has come; settled ones have none
        self._orders = 0  # that wait while something takes long
        self._lock = threading.Lock()  # of that number
        self._interrupted = self._closing = self._started = False
        installed = ports.installed()
        self.status = UpdateStatus("none", "", installed, installed)
        """How far it is; replaced as a whole, and to be read in any thread."""

    def start(self) -> None:
        """Begin, if there are to be updates; what was told before is followed now."""
        if self._config and not self._started:
            self._started = True
            self._mailbox.put(self._begin)
            self._mailbox.start()

    def follow(self, config: UpdatesConfig | None) -> None:
        """Go by the configuration as it is now."""
        if config and not self._started:
            self._config, self._record = config, self._shelf.read()
            self.start()
        elif self._started:
            self._order(lambda: self._follow(config))

    def told(self, scope: Scope, payload: bytes) -> None:
        """Take a pointer, or by an empty payload that there is none any more."""
        if self._told.get(scope, b"") == payload:
            return  # a broker says it at every connection
        self._told[scope] = payload
        self._order(lambda: self._hear(scope, payload))

    def command(self, payload: bytes) -> None:
        """Take a command of somebody: install, or rollback."""
        self._order(lambda: self._obey(payload.decode("utf-8", "replace").strip().lower()))

    def __enter__(self) -> "Updater":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(failed=kind is not None and issubclass(kind, Exception))

    def close(self, *, failed: bool = False) -> None:
        """End; a bundle that is new goes on proving itself the next time, unless this failed."""
        self._closing = True
        self._mailbox.close(lambda: self._end(failed=failed), CLOSE_SECONDS)

    def _order(self, action: Callable[[], None]) -> None:
        """Do something soon; what takes long gives way to it."""

        def act() -> None:
            with self._lock:
                self._orders -= 1
            action()
            if self._interrupted:
                self._interrupted = False
                self._consider()

        with self._lock:
            self._orders += 1
        self._mailbox.put(act)

    def _give_way(self) -> None:
        """Say that a long piece goes on, unless there is something newer to do."""
        self._mailbox.alive()
        if self._orders > 0 or self._closing:
            raise Interrupted

    def _begin(self) -> None:
        self._check_base()
        if self._record.probation and self._ports.plan().update:
            self._keep(replace(self._record, probation="running"))
            self._watch()
        self._consider()

    def _check_base(self) -> None:
        """Take that the configuration names another bundle: that is somebody's word, too."""
        if self._record.current and self._record.base != self._ports.asked().bundle:
            self._proof = None
            self._keep(self._record.without_update())

    def _end(self, *, failed: bool) -> None:
        if self._record.probation == "running" and not failed:
            self._keep(replace(self._record, probation="paused"))

    def _follow(self, config: UpdatesConfig | None) -> None:
        self._config = config
        if config is None:
            self._proof = None
        else:
            self._check_base()
        for scope, payload in list(self._told.items()):  # others may tell more meanwhile
            self._judge(scope, payload)
        self._consider()

    def _hear(self, scope: Scope, payload: bytes) -> None:
        self._judge(scope, payload)
        self._failures = self._damaged = 0
        self._consider()

    def _judge(self, scope: Scope, payload: bytes) -> None:
        places = Places(self._config.places) if self._config else None
        seen = self._pointers.judge(scope, payload, places, self._record.seen)
        if seen != self._record.seen:
            self._keep(replace(self._record, seen=seen))

    def _consider(self) -> None:
        """Find out what there is to do, and do it when it is its turn."""
        self._turn += 1
        if self._proof:  # first things first
            return
        pointer = self._pointers.counting
        if pointer is None:
            refusal = self._pointers.refusal
            self._say("refused" if refusal else "none", refusal)
        elif self._uses(pointer):
            self._say("installed")
        elif not is_at_least(__version__, pointer.min_version):
            self._say("refused", f"it needs ast-edge {pointer.min_version}, this is {__version__}")
        elif settled := self._record.settled.get(pointer.digest):
            self._say(settled.state, settled.why)
        elif self._begun == pointer.digest:
            self._later(0.0)
        elif self._config and self._config.install == "at_once":
            delay = random.uniform(0, self._config.spread)
            self._say("waiting", f"for its turn, in {delay:.0f} s" if delay >= 1 else "")
            self._later(delay)
        else:
            self._say("available")

    def _uses(self, pointer: Pointer) -> bool:
        used = self._ports.plan().update
        return used is not None and used.sha256 == pointer.sha256

    def _later(self, delay: float) -> None:
        turn = self._turn
        self._mailbox.put_later(delay, lambda: self._install() if turn == self._turn else None)

    def _install(self) -> None:
        pointer, config = self._pointers.counting, self._config
        if pointer is None or config is None or self._proof:
            return
        self._begun = pointer.digest
        installation = Installation(
            *(pointer, config, self._shelf, self._ports, self._say),
            alive=self._mailbox.alive,
            give_way=self._give_way,
        )
        try:
            folder = installation.fetch()
            installation.check(folder)
            self._switch(pointer, installation)
        except Interrupted:
            self._interrupted = True
        except (HubError, StorageError) as exc:
            self._try_again(str(exc))
        except BundleError as exc:
            self._damaged += 1
            if self._damaged < MOST_DAMAGED:
                self._try_again(str(exc))
            else:
                self._settle(pointer, Settled("failed", str(exc)))
        except Refused as exc:
            self._settle(pointer, Settled("refused", str(exc)))
        except AstError as exc:
            self._settle(pointer, Settled("failed", str(exc)))

    def _switch(self, pointer: Pointer, installation: Installation) -> None:
        """Let the daemon follow the new bundle, and watch it."""
        before = self._record
        base = self._ports.asked().bundle
        previous = before.current if before.base == base else None
        if previous and previous.sha256 == pointer.sha256:  # it is here again, having been damaged
            previous = before.previous
        record = replace(before, base=base, current=pointer, previous=previous)
        record = replace(record, probation="running")
        try:
            self._shelf.write(record)
        except OSError as exc:
            raise StorageError(f"{self._shelf.folder}: cannot be written: {exc.strerror}") from exc
        self._record = record
        try:
            installation.switch()
        except BaseException:
            self._keep(before)
            raise
        self._failures = self._damaged = 0
        log.info("update %s: is used from now on", pointer.title)
        self._watch()
        self._tidy()

    def _watch(self) -> None:
        self._proof = Proof(self._ports.pulse)
        self._say("proving", "it is taken back if it fails or is too slow in its first minute")
        self._mailbox.put_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        if self._proof is None:
            return
        verdict = self._proof.look()
        if verdict is None:
            self._mailbox.put_later(LOOK_SECONDS, self._look)
        elif verdict:
            self._go_back(verdict)
        else:
            self._proof = None
            self._keep(replace(self._record, probation=""))
            self._consider()

    def _obey(self, command: str) -> None:
        if command == "rollback":
            self._go_back("somebody has asked for that")
        elif command == "install" and (pointer := self._pointers.counting):
            settled = {d: w for d, w in self._record.settled.items() if d != pointer.digest}
            self._keep(replace(self._record, settled=settled))
            self._turn += 1
            self._failures = self._damaged = 0
            if not self._uses(pointer) and is_at_least(__version__, pointer.min_version):
                self._install()
            else:
                self._consider()
        elif command == "install":
            log.warning("install: there is no pointer that could be followed")
        else:
            log.warning("expected the command install or rollback, got %.40r", command)

    def _go_back(self, why: str) -> None:
        """Use what was used before."""
        pointer, before = self._record.current, self._record
        if pointer is None:
            log.warning("rollback: the bundle of the configuration is in use already")
            return
        self._proof = None
        self._keep(before.back().settle(pointer, Settled("rolled_back", why)))
        if refusal := self._ports.switch(self._mailbox.alive):
            self._keep(replace(before, probation=""))
            log.error("update %s: cannot be taken back: %s", pointer.title, refusal)
            self._say("failed", f"{why}; it cannot be taken back: {refusal}")
            return
        log.warning("update %s: is taken back: %s", pointer.title, why)
        self._tidy()
        self._consider()

    def _settle(self, pointer: Pointer, what: Settled) -> None:
        log.error("update %s: %s; it is not tried again by itself", pointer.title, what.why)
        self._keep(self._record.settle(pointer, what))
        self._tidy()
        self._consider()

    def _try_again(self, why: str) -> None:
        pause = min(RETRY_MAX, RETRY_FIRST * 2.0**self._failures) * random.uniform(0.5, 1.0)
        self._failures = min(self._failures + 1, 20)
        log.warning("update: %s; trying again in %.0f s", why, pause)
        self._say("waiting", f"{why}; it is tried again")
        self._later(pause)

    def _recover(self) -> None:
        """Go on after a fault of ours, with what the disk says."""
        self._record = self._shelf.read()
        self._say("waiting", "a fault of ast-edge, which its log tells; it is tried again")
        self._turn += 1
        self._later(RETRY_MAX)

    def _keep(self, record: Record) -> None:
        """Remember something, on the disk if it can be written; a bundle that goes, goes anyway."""
        before, self._record = self._record, record
        try:
            self._shelf.write(record)
        except OSError as exc:
            log.warning(
                "%s: cannot be written: %s; what became of updates is not remembered",
                *(self._shelf.folder, exc.strerror),
            )
            if before.current != record.current:
                with contextlib.suppress(OSError):
                    self._shelf.forget()

    def _tidy(self) -> None:
        """Remove bundles that nobody would go back to."""
        self._shelf.tidy(self._record.keeps)

    def _say(
        self,
        state: UpdateState,
        detail: str = "",
        percentage: int | None = None,
        missing: tuple[str, ...] = (),
    ) -> None:
        pointer, installed = self._pointers.counting, self._ports.installed()
        record = self._record
        previous = ""
        if record.current:
            previous = record.previous.title if record.previous else record.base
        status = UpdateStatus(
            state,
            detail,
            installed,
            pointer.title if pointer else installed,
            percentage,
            previous,
            missing or (self.status.missing if state == "refused" else ()),
            pointer.serial if pointer else None,
            {scope: seen.serial for scope, seen in record.seen.items()},
        )
        if status != self.status:
            self.status = status
            self._ports.tell()
