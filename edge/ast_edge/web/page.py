"""The page of a daemon, for as long as its configuration wants one."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from ast_edge.app.config import Config
from ast_edge.app.report import DaemonReport
from ast_edge.app.service import Service
from ast_edge.base.errors import AstError, ConfigError
from ast_edge.detection.event import Event
from ast_edge.monitoring.web_config import WebConfig

if TYPE_CHECKING:
    from ast_edge.web.server import WebServer

log = logging.getLogger(__name__)


class Page:
    """No server, thread or package is there until a configuration asks for a page."""

    def __init__(self, service: Service, read: Callable[[], DaemonReport]) -> None:
        """Begin to serve if it is wanted; `read` returns how the daemon is, in any thread.

        Raises:
            ConfigError: the page cannot be as it is wanted.
        """
        self._service, self._read = service, read
        self._config: WebConfig | None = None
        self.server: WebServer | None = None
        self._turn_to(service.plan.config.web)

    def follow(self, config: Config) -> None:
        """Serve the page as another configuration wants it; in any thread but the daemon's.

        One that cannot be is said, and the page stays as it was.
        """
        if config.web == self._config:
            return
        try:
            self._turn_to(config.web)
        except AstError as exc:
            log.error("%s; the page stays as it was", exc)

    def close(self) -> None:
        """Serve no more."""
        self._exchange(None)

    def _turn_to(self, config: WebConfig | None) -> None:
        server = None
        if config is not None:
            try:
                from ast_edge.web.server import WebServer
            except ImportError as exc:
                raise ConfigError(
                    "web: the page needs the package aiohttp: pip install 'ast-edge[web]', or "
                    "leave `web` out"
                ) from exc
            server = WebServer(config, self._service, self._read)
        self._exchange(server)
        self._config = config

    def _exchange(self, server: "WebServer | None") -> None:
        before, self.server = self.server, server
        if before:
            before.close()
        if server:
            server.start()
        sinks = self._service.sinks

        def exchange() -> list[Event]:
            if before and before.stage in sinks:
                sinks.remove(before.stage)
            if server:
                sinks.append(server.stage)
            return []

        self._service.daemon.submit(exchange)
