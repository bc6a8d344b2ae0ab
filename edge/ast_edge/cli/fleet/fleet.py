"""Look after many nodes at one broker: who is there, with which model, and what differs."""

import argparse
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ast_edge.cli.fleet.access import Actions, add_action
from ast_edge.cli.fleet.rollout import add_rollout

if TYPE_CHECKING:
    from ast_edge.fleet.inventory import NodeState


def add_parser(commands: Actions) -> None:
    """Add `fleet` to the sub-commands."""
    parser = commands.add_parser(
        "fleet",
        help="look after many nodes at one broker",
        description=__doc__,
        epilog="example: ast-edge fleet list --broker broker.local",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = add_action(
        *(actions, "list", _list, "list the nodes and what they say of themselves"),
        example="ast-edge fleet list --broker broker.local --stale",
    )
    _add_choice(listing)
    listing.add_argument("--json", action="store_true", help="print an array of objects")
    watching = add_action(
        *(actions, "watch", _watch, "print a line for every change, until Ctrl-C"),
        example="ast-edge fleet watch --broker broker.local --json | jq .node",
    )
    watching.add_argument("--json", action="store_true", help="print an object a line")
    comparing = add_action(
        *(actions, "diff", _diff, "print in what nodes differ; 1 if they do"),
        example="ast-edge fleet diff --broker broker.local attic barn",
    )
    comparing.add_argument("nodes", metavar="NODE", nargs="*", help="these alone (all)")
    comparing.add_argument("--json", action="store_true", help="print an array of objects")
    add_rollout(actions)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stale",
        action="store_true",
        help="only those that are away, or have not said who they are",
    )
    parser.add_argument("--bundle", metavar="NAME|SUM", help="only those that listen with this one")


def _list(args: argparse.Namespace) -> int:
    """Print the nodes."""
    from ast_edge.cli.fleet.view import nodes_table, tree_of
    from ast_edge.cli.terminal import stdout_console

    nodes = _chosen(args, _read(args).values())
    if args.json:
        print(json.dumps([tree_of(node) for node in nodes], ensure_ascii=False, indent=1))
    elif nodes:
        stdout_console().print(nodes_table(nodes))
    else:
        print("no such node" if args.stale or args.bundle else "no node has said anything")
    return 0


def _chosen(args: argparse.Namespace, nodes: "Iterable[NodeState]") -> "list[NodeState]":
    return [
        node
        for node in nodes
        if (node.stale or not args.stale) and (not args.bundle or node.has_bundle(args.bundle))
    ]


def _read(args: argparse.Namespace) -> "dict[str, NodeState]":
    from ast_edge.cli.fleet.access import find_broker
    from ast_edge.fleet.inventory import Inventory

    with Inventory(find_broker(args)) as inventory:
        return inventory.read()


def _watch(args: argparse.Namespace) -> int:
    """Follow what changes."""
    import threading

    from ast_edge.cli.fleet.access import find_broker
    from ast_edge.cli.fleet.view import change_lines, print_change
    from ast_edge.fleet.inventory import Inventory

    begun = threading.Event()

    def changed(before: "NodeState", after: "NodeState") -> None:
        if begun.is_set():
            for line in change_lines(before, after):
                print_change(after.name, line, as_json=args.json)

    with Inventory(find_broker(args), changed) as inventory:
        nodes = inventory.read()
        if not args.json:
            online = sum(node.online or False for node in nodes.values())
            print(f"{len(nodes)} nodes, {online} online; changes follow", flush=True)
        begun.set()
        threading.Event().wait()
    return 0


def _diff(args: argparse.Namespace) -> int:
    """Compare nodes."""
    from ast_edge.base.errors import ConfigError
    from ast_edge.base.yaml_file import did_you_mean
    from ast_edge.cli.fleet.view import difference_trees, print_differences
    from ast_edge.fleet.difference import differences

    nodes = _read(args)
    for name in args.nodes:
        if name not in nodes:
            raise ConfigError(f"no node {name!r}{did_you_mean(name, list(nodes))}")
    chosen = [nodes[name] for name in args.nodes or nodes]
    silent = [node.name for node in chosen if node.info is None]
    infos = [node.info for node in chosen if node.info is not None]
    found = differences(infos)
    if args.json:
        print(json.dumps(difference_trees(found), ensure_ascii=False, indent=1))
    else:
        print_differences(found, len(infos), silent)
    return 1 if found or silent else 0
