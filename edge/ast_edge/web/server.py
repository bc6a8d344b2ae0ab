"""The thread of the page: it serves, mends itself, and never holds up the daemon."""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from aiohttp import web

from ast_edge.app.report import DaemonReport
from ast_edge.app.service import Service
from ast_edge.base.worker import Worker
from ast_edge.monitoring.config import parse_address
from ast_edge.monitoring.web_config import WebConfig
from ast_edge.monitoring.web_token import server_context
from ast_edge.web.access import open_access
from ast_edge.web.application import Application
from ast_edge.web.log_tail import LogTail
from ast_edge.web.stage import Stage

log = logging.getLogger(__name__)
_silent = logging.getLogger("ast_edge.web.http")
"""Of strangers who speak no HTTP there is nothing to say."""
_silent.disabled = True

TURN_SECONDS = 10.0
"""After which the thread gives a sign of life."""
RETRY_SECONDS = 10.0
"""Until an address that cannot be listened on is tried again."""
CLOSE_TIMEOUT = 3.0
GOING_AWAY = 1001


class WebServer:
    """Serves the page as one configuration wants it, in a thread and a loop of its own.

    An address that cannot be listened on is said once, and tried again.
    """

    def __init__(
        self, config: WebConfig, service: Service, read: Callable[[], DaemonReport]
    ) -> None:
        """Prepare; `read` returns how the daemon is, in any thread.

        Raises:
            ConfigError: the token or the certificate cannot be used, or there must be one.
        """
        plan = service.plan.config
        embedded = bool(plan.mqtt and plan.mqtt.embedded)
        self._config, self._service, self._read = config, service, read
        self._access = open_access(config, plan.node, kept=not (embedded or config.ingress))
        self._ssl = server_context(config.tls) if config.tls else None
        self._tail = LogTail()
        self.stage = Stage(service, read, changes=config.changes)
        self.port: int | None = None
        """Where it listens; None while it does not."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._runner: web.AppRunner | None = None
        self.listens = threading.Event()
        """Set once it listens."""
        self._faulty = False
        self._closing = threading.Event()
        self._thread: Worker[bool] = Worker("web", self._next, self._turn, on_fault=self._recover)

    @property
    def link(self) -> str:
        """What opens the page on this machine, for the daemon's own user; empty if nothing does."""
        if self.port is None:
            return ""
        host = parse_address(self._config.listen)[0]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        shown = f"[{host}]" if ":" in host else host
        scheme = "https" if self._ssl else "http"
        return f"{scheme}://{shown}:{self.port}/{self._access.fragment}"

    def start(self) -> None:
        """Begin to serve; returns at once."""
        logging.getLogger("ast_edge").addHandler(self._tail)
        self._thread.start()

    def close(self) -> None:
        """Say goodbye to viewers and stop to serve; gives up after some seconds."""
        logging.getLogger("ast_edge").removeHandler(self._tail)
        self._closing.set()
        loop, stop = self._loop, self._stop
        if loop and stop:
            with contextlib.suppress(RuntimeError):  # it has closed in this moment
                loop.call_soon_threadsafe(stop.set)
        if self._thread.is_alive():
            self._thread.join(CLOSE_TIMEOUT)

    def _next(self) -> bool | None:
        if not self._closing.is_set():
            return True
        self._mend()
        return None

    def _turn(self, _: bool) -> None:
        """Let the loop run for a while."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._loop.set_exception_handler(_say)
            self._stop = asyncio.Event()
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        pause = TURN_SECONDS
        if self._runner is None and not await self._listen():
            pause = RETRY_SECONDS
        assert self._stop
        if self._closing.is_set():
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stop.wait(), pause)

    async def _listen(self) -> bool:
        app = Application(self._config, self._service, self.stage, self._access, self._tail)
        runner = web.AppRunner(
            *(app.make(),), access_log=None, logger=_silent, shutdown_timeout=1.0
        )
        host, port = parse_address(self._config.listen)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, ssl_context=self._ssl).start()
        except OSError as exc:
            await runner.cleanup()
            if not self._faulty:
                self._faulty = True
                log.error(
                    "web: cannot listen on %s: %s; tries again",
                    *(self._config.listen, _reason(exc)),
                )
            return False
        self._runner, self._faulty = runner, False
        self.port = runner.addresses[0][1]
        self.stage.open(asyncio.get_running_loop())
        self._service.page = self.link
        self.listens.set()
        log.info("page at %s", self.link.split("#")[0])
        return True

    def _recover(self) -> None:
        """Begin anew after a fault, but not at once: it may be there still."""
        self._mend()
        self._closing.wait(RETRY_SECONDS)

    def _mend(self) -> None:
        """Close everything, so that the next turn begins anew; called in the thread."""
        loop, self._loop = self._loop, None
        runner, self._runner, self.port = self._runner, None, None
        self._service.page = ""
        if loop is None:
            return
        try:
            loop.run_until_complete(_leave(self.stage, runner))
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


async def _leave(stage: Stage, runner: web.AppRunner | None) -> None:
    await stage.leave_all(GOING_AWAY)
    if runner:
        await runner.cleanup()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _say(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what goes wrong in the loop, but for visitors who go away."""
    fault = context.get("exception")
    if not isinstance(fault, OSError):
        log.error("web: %s: %s", context.get("message"), fault, exc_info=fault)


def _reason(fault: OSError) -> str:
    if isinstance(fault, socket.gaierror):
        return f"no such address ({fault.strerror})"
    return fault.strerror or str(fault)
