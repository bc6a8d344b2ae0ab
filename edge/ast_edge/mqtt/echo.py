"""The broker's view: each event printed as a subscriber receives it."""

import json
import logging
import secrets
import threading
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from ast_edge.base.errors import BrokerError
from ast_edge.base.printable import printable
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.connection import Connection
from ast_edge.mqtt.topics import Topics

log = logging.getLogger(__name__)

LABEL_WIDTH = 30
REPLAY_BEFORE = datetime.fromisoformat("1980-01-01T00:00:00+00:00")
"""No clock shows an earlier time: such an event counts in seconds of a replayed file."""

_SENSELESS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What a payload that is no event makes of itself."""


class Echo:
    """Print a line for the start and the end of every event that comes back from the broker.

    It is a client of its own, with a connection of its own: what it prints has been delivered.
    It begins to connect at once; `wait_ready` before anything is published.

    Args:
        node: whose events; "+" for those of every node.

    Raises:
        ConfigError: the host name, the password or a certificate cannot be used.
    """

    def __init__(self, config: MqttConfig, console: Console, *, node: str = "+") -> None:
        self._console = console
        self._filter = Topics(config.base_topic, node).event("+")
        self._changed = threading.Condition()
        self._ready = False
        self._refusal: str | None = None
        self._source_width = 0
        self.received = 0
        """Event messages that have come back, updates included."""
        self._connection = Connection(
            config,
            f"ast-edge-echo-{secrets.token_hex(4)}",
            on_up=self._subscribe,
            on_subscribed=self._subscribed,
            on_message=self._show,
            log_level=logging.DEBUG,  # the sink has the same broker and says what is wrong
        )
        self._connection.start()

    def wait_ready(self, timeout: float = 5.0) -> None:
        """Wait until the broker has accepted the subscription.

        Raises:
            BrokerError: it has not within `timeout` seconds, or refuses.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._refusal, timeout)
            ready = self._ready
        if not ready:
            reason = self._refusal or self._connection.fault or "the broker does not answer"
            raise BrokerError(
                f"cannot listen to {self._filter} at {self._connection.address}: {reason}"
            )

    def wait_for(self, count: int, timeout: float = 2.0) -> bool:
        """Wait until `count` event messages have been received in all, and say whether they have.

        The number to wait for is how many the broker has acknowledged to the publisher.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self.received >= count, timeout)

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def _subscribe(self) -> None:
        self._connection.subscribe(self._filter)

    def _subscribed(self, _: str, refusal: str | None) -> None:
        with self._changed:
            self._ready = refusal is None
            self._refusal = refusal
            self._changed.notify_all()

    def _show(self, topic: str, payload: bytes, retained: bool) -> None:
        try:
            self._print(json.loads(payload))
        except _SENSELESS as exc:
            log.warning("%s: expected an event of ast-edge, got %.60r (%r)", topic, payload, exc)
        with self._changed:
            self.received += 1
            self._changed.notify_all()

    def _print(self, event: dict[str, Any]) -> None:
        if event["type"] == "update":
            return
        self._source_width = max(self._source_width, len(printable(event["source"])))
        self._console.print(event_line(event, self._source_width), soft_wrap=True, highlight=False)


def event_line(event: dict[str, Any], source_width: int = 0) -> Text:
    """Lay out a payload of type start or end: time, source, label, phase, peak, duration."""
    ended = event["type"] == "end"
    source, label = printable(event["source"]), printable(event["label"])
    if len(label) > LABEL_WIDTH:
        label = label[: LABEL_WIDTH - 1] + "…"
    line = Text()
    line.append(f"{_clock(event['offset'] if ended else event['onset']):>10}", "dim")
    line.append(f"  {source:<{source_width}}", "cyan")
    line.append(f"  {label:<{LABEL_WIDTH}}", "" if ended else "bold")
    line.append("  end  " if ended else "  start", "dim" if ended else "bold green")
    line.append(f"  peak {event['peak']:.2f}")
    if ended:
        line.append(f"  lasted {event['duration']:.1f} s", "dim")
    return line


def _clock(iso: str) -> str:
    """Return the wall time, or "+12.3 s" for a replay."""
    moment = datetime.fromisoformat(iso.replace("Z", "+00:00"))
    if moment < REPLAY_BEFORE:
        return f"+{moment.timestamp():.1f} s"
    return moment.astimezone().strftime("%H:%M:%S.%f")[:-5]
