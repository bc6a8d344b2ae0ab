"""What a node says of itself to whoever looks after many: `<base>/<node>/info`."""

import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ast_edge.base.times import iso8601
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.topics import Topics
from ast_edge.outputs.schema import SCHEMA

_BOARDS = (Path("/proc/device-tree/model"), Path("/sys/class/dmi/id/product_name"))
LONGEST_DEVICE = 100
"""Characters."""


@dataclass(frozen=True)
class BundleInfo:
    """A model that a node listens with."""

    name: str
    sha256: str
    """Of all that its scores depend on: graph, and heads of own labels."""
    labels: int
    """That it knows; those that are reported are the node's."""


@dataclass(frozen=True)
class SourceInfo:
    """A source of a node; where its sound comes from is nobody else's business."""

    kind: str
    """microphone, url, file or stdin."""
    bundle: str


@dataclass(frozen=True)
class NodeInfo:
    """What is to be known of a node that is one of many."""

    node: str
    version: str
    """Of ast-edge."""
    since: str
    """When this process began, by the node's clock (ISO 8601)."""
    config: str
    """Hash of the configuration without node name and secrets: equal ones listen alike."""
    engine: str
    """What runs the model, and on what."""
    device: str
    """The board or machine."""
    bundles: Sequence[BundleInfo]
    sources: Mapping[str, SourceInfo]
    labels: Sequence[str]
    """Slugs of labels and groups that are reported of any source."""

    @property
    def payload(self) -> str:
        """The information as JSON."""
        tree = {"schema": SCHEMA, **asdict(self)}
        return json.dumps(tree, ensure_ascii=False, allow_nan=False)


_INFO = TypeAdapter(NodeInfo)


def parse_info(payload: bytes) -> NodeInfo | None:
    """Understand what a node has said; None if it is nothing that this ast-edge understands."""
    try:
        tree = json.loads(payload)
        if not isinstance(tree, dict) or tree.pop("schema", None) != SCHEMA:
            return None
        return _INFO.validate_python(tree)
    except (ValueError, ValidationError, RecursionError):
        return None


def started_at(unix: float) -> str:
    """Return the moment of `NodeInfo.since`, to the second: it is said again at every connection.

    Fractions would differ by what the clock drifts, and a retained message would look new.
    """
    return iso8601(round(unix))


def this_device() -> str:
    """Return what machine this is: the board where it says so, and its architecture."""
    for path in _BOARDS:
        try:
            found = path.read_text("utf-8", "replace")
        except OSError:
            continue
        if board := " ".join(re.sub(r"[^\x20-\x7e]", " ", found).split())[:LONGEST_DEVICE]:
            return f"{board}, {platform.machine()}"
    return platform.machine()


class InfoSpeaker:
    """Says who the node is, at every connection; a participant of MqttSink."""

    subscriptions: tuple[str, ...] = ()

    def __init__(self, topics: Topics, info: NodeInfo) -> None:
        """Say this of the node, until another speaker takes this one's place."""
        self._message = Message(topics.info, info.payload, retain=True)

    def greet(self) -> list[Message]:
        """Return who the node is."""
        return [self._message]

    def received(self, topic: str, payload: bytes, *, retained: bool = False) -> list[Message]:
        """Listen to nothing."""
        return []
