"""Pointing nodes to a bundle, and back."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ast_edge.cli.fleet.access import Actions, add_action
from ast_edge.cli.terminal import non_negative

if TYPE_CHECKING:
    from ast_edge.fleet.inventory import Inventory, NodeState
    from ast_edge.fleet.pointer import Pointer


def add_rollout(actions: Actions) -> None:
    """Add `update` and `rollback` to the actions."""
    update = add_action(
        *(actions, "update", _update, "point nodes to a published bundle"),
        example="ast-edge fleet update --broker broker.local "
        "https://models.example.org/ast/home-2 --node attic --wait 600",
    )
    update.add_argument("url", metavar="URL", help="the folder of bundle.json on a web server")
    _add_nodes(update)
    update.add_argument(
        "--folder",
        type=Path,
        help="the same bundle here, so that it need not be fetched to know its sum and size",
    )
    update.add_argument("--name", default="", help="what people call it")
    update.add_argument("--min-version", default="", metavar="VERSION", help="of ast-edge")
    update.add_argument(
        "--drop-labels",
        action="store_true",
        help="let labels go that a node's configuration names and the bundle lacks",
    )
    back = add_action(
        *(actions, "rollback", _rollback, "let nodes return to the bundle that they used before"),
        example="ast-edge fleet rollback --broker broker.local --all",
    )
    _add_nodes(back)


def _add_nodes(parser: argparse.ArgumentParser) -> None:
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument(
        "--node", metavar="NODE", nargs="+", action="extend", default=[], help="these nodes"
    )
    who.add_argument("--all", action="store_true", help="all nodes")
    parser.add_argument(
        "--wait",
        type=non_negative,
        default=0.0,
        metavar="SECONDS",
        help="until those that are online have done it; 1 if one has not (0)",
    )


def _update(args: argparse.Namespace) -> int:
    """Leave a pointer."""
    from ast_edge.cli.fleet.access import find_broker
    from ast_edge.fleet.inventory import Inventory
    from ast_edge.fleet.update_status import SETTLED
    from ast_edge.mqtt.message import Message
    from ast_edge.mqtt.topics import Topics

    config = find_broker(args)
    sha256, size = _measure(args)
    with Inventory(config) as inventory:
        nodes = inventory.read()
        chosen = _chosen(args, nodes)
        serial = _next_serial(args, inventory, nodes)
        pointer = _pointer(args, sha256, size, serial)
        topics = [Topics(config.base_topic, name) for name in chosen or ["+"]]
        where = [topics[0].desired_of_all] if args.all else [one.desired for one in topics]
        inventory.publish([Message(topic, pointer.payload, retain=True) for topic in where])
        print(f"{pointer.title}, serial {serial}, {size / 1e6:.1f} MB: {', '.join(where)}")
        targets = [n for n in nodes if (args.all and nodes[n].desired is None) or n in chosen]
        return _wait(
            args,
            inventory,
            targets,
            lambda node: (
                node.update is not None
                and node.update.serial == serial
                and node.update.state in SETTLED
            ),
            well="installed",
        )


def _rollback(args: argparse.Namespace) -> int:
    """Send the command."""
    from ast_edge.cli.fleet.access import find_broker
    from ast_edge.fleet.inventory import Inventory
    from ast_edge.mqtt.message import Message
    from ast_edge.mqtt.topics import Topics

    config = find_broker(args)
    with Inventory(config) as inventory:
        nodes = inventory.read()
        named = _chosen(args, nodes) or list(nodes)
        targets, others = list[str](), list[str]()
        for name in named:
            can = nodes[name].online and (found := nodes[name].update) and found.previous
            (targets if can else others).append(name)
        if others:
            print(f"away, or with nothing to return to: {', '.join(others)}")
        if not targets:
            return 1
        commands = [Topics(config.base_topic, name).node_command for name in targets]
        inventory.publish([Message(topic, "rollback") for topic in commands])
        print(f"told: {', '.join(targets)}")
        before = {name: nodes[name].update for name in targets}
        status = _wait(
            args,
            inventory,
            targets,
            lambda node: (
                node.update is not None
                and (was := before[node.name]) is not None
                and node.update.installed != was.installed
            ),
        )
        return 1 if others and not args.all else status


def _chosen(args: argparse.Namespace, nodes: "dict[str, NodeState]") -> list[str]:
    """Return the nodes that are named; none with --all.

    Raises:
        ConfigError: one is not known.
    """
    from ast_edge.base.errors import ConfigError
    from ast_edge.base.yaml_file import did_you_mean

    for name in args.node:
        if name not in nodes:
            raise ConfigError(f"no node {name!r}{did_you_mean(name, list(nodes))}")
    return list(dict.fromkeys(args.node))


def _measure(args: argparse.Namespace) -> tuple[str, int]:
    """Return the sum of the bundle's bundle.json and the bytes of all of it."""
    import tempfile

    from ast_edge.engines.trt.engine_cache import cache_folder
    from ast_edge.fleet.fetch import measure_published, published_size
    from ast_edge.hub.download_progress import DownloadProgress
    from ast_edge.hub.files import RemoteFiles
    from ast_edge.hub.origin import HUB, Origin
    from ast_edge.hub.web import Web

    _pointer(args, "0" * 64, 1, 1)  # before anything is fetched
    if args.folder is not None:
        return published_size(args.folder)
    origin, cache = Origin("url", args.url.rstrip("/")), cache_folder() / "models"
    with DownloadProgress() as progress, tempfile.TemporaryDirectory() as scratch:
        files = RemoteFiles(origin, Web(HUB), HUB, cache, progress)
        return measure_published(files, Path(scratch))


def _pointer(args: argparse.Namespace, sha256: str, size: int, serial: int) -> "Pointer":
    """Return the pointer of the options.

    Raises:
        ConfigError: it cannot be.
    """
    from ast_edge.base.errors import ConfigError
    from ast_edge.fleet.pointer import PointerRefused, make_pointer

    tree = {"serial": serial, "url": args.url, "sha256": sha256, "size": size}
    tree |= {"name": args.name, "min_version": args.min_version, "drop_labels": args.drop_labels}
    try:
        return make_pointer(tree)
    except PointerRefused as exc:
        raise ConfigError(str(exc)) from exc


def _next_serial(
    args: argparse.Namespace, inventory: "Inventory", nodes: "dict[str, NodeState]"
) -> int:
    """Return a serial that is higher than all that stand there, or were told to a node."""
    used = [inventory.desired.serial] if inventory.desired and args.all else []
    for name in nodes if args.all else args.node:
        node = nodes[name]
        if node.update:
            used.append(node.update.seen.get("all" if args.all else "node", 0))
        if node.desired and not args.all:
            used.append(node.desired.serial)
    return max(used, default=0) + 1


def _wait(
    args: argparse.Namespace,
    inventory: "Inventory",
    targets: Sequence[str],
    done: Callable[["NodeState"], bool],
    well: str = "",
) -> int:
    """Wait for those that are online, and say what has become of each."""
    if not args.wait:
        return 0
    inventory.wait_for(
        lambda nodes: all(
            done(nodes[n]) for n in targets if n in nodes and nodes[n].online and nodes[n].update
        ),
        args.wait,
    )
    nodes, status = inventory.read(), 0
    for name in targets:
        node = nodes.get(name)
        if node is None or not node.online:
            what, fine = "is away", False
        elif node.update is None:
            what, fine = "follows no pointers (`updates` of its configuration)", False
        else:
            state, detail = node.update.state, node.update.detail
            what = f"{state.replace('_', ' ')}{f': {detail}' if detail else ''}"
            fine = done(node) and state == (well or state)
        print(f"{name}: {what}")
        status = status or (0 if fine else 1)
    return status
