"""An MQTT broker in a process of its own, so that what it costs is not the daemon's."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.embedded_broker import EmbeddedBroker


@contextmanager
def run_broker(address: str | None = None) -> Iterator[MqttConfig]:
    """Yield how a broker is reached: that at HOST:PORT, or else the embedded one."""
    if address:
        host, port = address.rsplit(":", 1)
        yield MqttConfig(host=host, port=int(port))
        return
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield EmbeddedBroker(port=ours.recv()).client_config(MqttConfig())
    finally:
        ours.close()
        process.join(timeout=10)


def _serve(pipe: Connection) -> None:
    """Run the embedded broker until the other end of the pipe is closed."""
    with EmbeddedBroker() as broker:
        pipe.send(broker.port)
        pipe.poll(None)
