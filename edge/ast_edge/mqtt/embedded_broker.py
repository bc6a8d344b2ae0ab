"""A small MQTT broker inside the program, for trying things out without installing one."""

import asyncio
import logging
import socket
import threading
from types import TracebackType
from typing import Any

from ast_edge.base.errors import BrokerError
from ast_edge.mqtt.config import MqttConfig

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
SHUTDOWN_TIMEOUT = 2.0
"""Seconds that the broker has to send what it still holds and to let its clients go."""

# The listening socket is ours: its port is known and a port in use is a plain error.
AMQTT_CONFIG = {
    "listeners": {"default": {"type": "external"}},
    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
}


class EmbeddedBroker:
    """Run amqtt on the loopback interface, without passwords, while the context is open.

    It speaks MQTT 3.1.1 only, keeps everything in memory, and does not notice frozen clients: good
    for a demo, no replacement for a real broker.

    Args:
        port: where to listen; with 0 a free port, which `port` tells inside the context.

    Raises:
        BrokerError: amqtt is not installed or the port is in use (on entering the context).
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port

    def client_config(self, config: MqttConfig) -> MqttConfig:
        """Return `config` changed so that it reaches this broker."""
        here = {"host": HOST, "port": self.port, "protocol": "3.1.1", "transport": "tcp"}
        open_door = dict.fromkeys(("path", "username", "password", "password_file", "tls"))
        return config.model_copy(update=here | open_door)

    def __enter__(self) -> "EmbeddedBroker":
        try:
            import amqtt.broker  # noqa: F401 (here for a missing extra to be said at once)
        except ImportError as exc:
            raise BrokerError(
                "the embedded broker needs the package amqtt: pip install 'ast-edge[demo]', "
                "or set mqtt.embedded to false and run a broker such as Mosquitto"
            ) from exc
        try:
            listener = socket.create_server((HOST, self.port))
        except OSError as exc:
            raise BrokerError(
                f"the embedded broker cannot listen on {HOST}:{self.port}: {exc.strerror}; "
                "stop what listens there or give another mqtt.port"
            ) from exc
        self.port = listener.getsockname()[1]
        # amqtt logs each client that leaves as an error with a traceback.
        logging.getLogger("amqtt").setLevel(logging.CRITICAL + 1)
        logging.getLogger("transitions").setLevel(logging.ERROR)
        self._started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener)), name="embedded-broker", daemon=True
        )
        self._thread.start()
        while not self._started.wait(0.1):
            if not self._thread.is_alive():
                raise BrokerError("the embedded broker did not start; run a broker of your own")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(2 * SHUTDOWN_TIMEOUT)

    async def _serve(self, listener: socket.socket) -> None:
        from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
        from amqtt.broker import Broker

        sessions: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._stop.is_set():
                writer.close()
                return
            session = asyncio.create_task(
                broker.external_connected(
                    StreamReaderAdapter(reader), StreamWriterAdapter(writer), "default"
                )
            )
            sessions.add(session)
            session.add_done_callback(sessions.discard)
            # amqtt leaves it open after a first packet that is no CONNECT, and when cancelled.
            session.add_done_callback(lambda _: writer.close())

        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_log_quietly)
        self._stop = asyncio.Event()
        broker = Broker(AMQTT_CONFIG)
        await broker.start()
        server = await asyncio.start_server(accept, sock=listener)
        self._started.set()
        await self._stop.wait()
        try:
            await asyncio.wait_for(broker.shutdown(), SHUTDOWN_TIMEOUT)
        except asyncio.TimeoutError:
            log.debug("the embedded broker still had work when it was stopped")
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        # Last: asyncio loses a connection that it has just accepted when its server is closed.
        server.close()


def _log_quietly(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Keep what amqtt's tasks die of when a client leaves away from the terminal."""
    log.debug("embedded broker: %s", context.get("exception") or context["message"])
