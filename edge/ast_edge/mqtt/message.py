"""What is published over MQTT."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Message:
    """One message to publish."""

    topic: str
    payload: str
    retain: bool = False
    expiry: int | None = None
    """Seconds after which the broker no longer delivers it (MQTT 5 only)."""
    qos: Literal[0, 1] = 1
    delay: float = 0.0
    """Seconds to wait before it is sent; it is forgotten if the connection ends before."""
