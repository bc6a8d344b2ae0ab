"""How a fleet is shown: tables for people, trees for their programs."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from ast_edge.base.printable import printable
from ast_edge.base.times import iso8601
from ast_edge.fleet.difference import SHORT, Difference, bundle_text, changes
from ast_edge.fleet.inventory import NodeState

MOST_NAMES = 8
"""Nodes that are named; of more, how many."""


def nodes_table(nodes: Sequence[NodeState]) -> Table:
    """Return a row for each node."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    headings = ["node", "state", "version", "bundle", "config", "sources", "since", "device"]
    updates = [_update(node) for node in nodes]
    if any(updates):
        headings.append("update")
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in ("state", "config"))
    for node, update in zip(nodes, updates, strict=True):
        info = node.info
        rest = [""] * 6
        if info:
            since = info.since.partition(".")[0].replace("T", " ")
            rest = [info.version, bundle_text(info), info.config[:SHORT], ", ".join(info.sources)]
            rest += [since, info.device]
        rest += [update] if any(updates) else []
        table.add_row(Text(printable(node.name)), _state(node), *(Text(printable(t)) for t in rest))
    return table


def _state(node: NodeState) -> Text:
    if node.strange:
        return Text("not understood", "yellow")
    if node.online is None:
        return Text("never seen", "yellow")
    if not node.online:
        return Text("offline", "red")
    return Text("online", "green") if node.info else Text("says nothing", "yellow")


def _update(node: NodeState) -> str:
    """Say how far an update is; empty if there is nothing to be said."""
    update = node.update
    if update is None or update.state in ("none", "installed"):
        return ""
    share = "" if update.percentage is None else f" {update.percentage} %"
    return f"{update.state.replace('_', ' ')}{share}"


def tree_of(node: NodeState) -> dict[str, Any]:
    """Return what is known of a node, as JSON."""
    info = asdict(node.info) if node.info else None
    update = asdict(node.update) if node.update else None
    return {"node": node.name, "online": node.online, "info": info, "update": update}


def change_lines(before: NodeState, after: NodeState) -> list[str]:
    """Say what has changed at a node."""
    lines = []
    if before.online != after.online:
        lines.append({True: "online", False: "offline", None: "forgotten"}[after.online])
    if after.strange and not before.strange:
        lines.append("says of itself what this ast-edge does not understand")
    if after.update and _update(after) != _update(before):
        why = f": {after.update.detail}" if after.update.detail else ""
        lines.append(f"update {_update(after) or 'done'} ({after.update.latest}){why}")
    if before.info and after.info:
        lines += changes(before.info, after.info)
    elif after.info:
        lines.append(f"{after.info.version}, {bundle_text(after.info)}, {after.info.device}")
    return lines


def print_change(node: str, line: str, *, as_json: bool) -> None:
    """Print a change, by the clock of this machine."""
    now = time.time()
    if as_json:
        tree = {"time": iso8601(now), "node": node, "change": line}
        print(json.dumps(tree, ensure_ascii=False), flush=True)
    else:
        clock = time.strftime("%H:%M:%S", time.localtime(now))
        print(f"{clock}  {printable(node)}  {printable(line)}", flush=True)


def difference_trees(found: Sequence[Difference]) -> list[dict[str, Any]]:
    """Return differences as JSON."""
    return [
        {"what": one.what, "values": [{"value": v, "nodes": list(n)} for v, n in one.values]}
        for one in found
    ]


def print_differences(found: Sequence[Difference], count: int, silent: Sequence[str]) -> None:
    """Print each difference: its values, the most common first, with who has them."""
    if silent:
        print(f"say nothing of themselves: {_named(silent)}")
    if not found:
        print(f"{count} nodes that do not differ")
    for one in found:
        print(one.what)
        common = one.values[0][0]
        for value, nodes in one.values:
            shown = value if value == common else _apart(one.what, common, value)
            print(f"  {printable(shown) or 'none'}: {_named(nodes)}")


def _apart(what: str, common: str, value: str) -> str:
    """Return a value; of a list what it has beyond the common one (+), and what it lacks (-)."""
    if what not in ("labels", "sources"):
        return value
    usual, own = set(common.split(", ")) - {""}, set(value.split(", ")) - {""}
    marked = [f"+{word}" for word in sorted(own - usual)]
    return " ".join(marked + [f"-{word}" for word in sorted(usual - own)])


def _named(nodes: Sequence[str]) -> str:
    named = ", ".join(printable(name) for name in nodes[:MOST_NAMES])
    more = len(nodes) - MOST_NAMES
    return f"{named} and {more} more" if more > 0 else named
