"""Bundles on a web server that nodes are pointed to."""

import hashlib
import json
from pathlib import Path
from typing import Any

from rigs.broker.mosquitto import Mosquitto, Subscriber
from rigs.hub.server import Hub
from rigs.model import make_tree, write_bundle, write_tree

from ast_edge.fleet.pointer import Pointer

NODE, ALL = "ast-edge/attic/desired", "ast-edge/desired"
UPDATE = "ast-edge/attic/update"
COMMAND = "ast-edge/attic/command"


def make_bundle(folder: Path, name: str, labels: tuple[str, ...] = (), **graph: Any) -> Path:
    """Write a bundle that is as the tiny one, but for its name, labels and graph."""
    write_bundle(folder, **graph)
    tree = make_tree(folder) | {"name": name}
    for entry, label in zip(tree["labels"], labels, strict=False):
        entry["name"] = label
    write_tree(folder, tree)
    return folder


def publish(hub: Hub, folder: Path, serial: int = 1, **more: Any) -> Pointer:
    """Put a bundle on the server and return a pointer to it."""
    for path in folder.iterdir():
        hub.files[f"models/{folder.name}/{path.name}"] = path.read_bytes()
    said = (folder / "bundle.json").read_bytes()
    size = sum(path.stat().st_size for path in folder.iterdir())
    url = f"{hub.url}/models/{folder.name}"
    sha256 = hashlib.sha256(said).hexdigest()
    return Pointer(**{"serial": serial, "url": url, "sha256": sha256, "size": size} | more)


def point(broker: Mosquitto, pointer: Pointer, topic: str = NODE) -> None:
    """Leave a pointer at the broker."""
    broker.publish(topic, pointer.payload, "-r")


def status(heard: Subscriber) -> dict[str, Any]:
    """Return what the node has said last of its update."""
    said = heard.on(UPDATE)
    return json.loads(said[-1]) if said else {}
