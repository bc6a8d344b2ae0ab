"""Say how the running daemon is."""

import argparse
import json
import sys
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ast_edge.base.errors import AstError, ConfigError
from ast_edge.base.printable import printable_tree
from ast_edge.base.runtime_folder import find_sockets
from ast_edge.monitoring.status_socket import ask

Json = dict[str, Any]

_COLORS = {
    "listening": "green",
    "starting": "cyan",
    "ended": "dim",
    "disabled": "dim",
    "failed": "red",
    "silent": "red",
}
"""All other states are yellow: something is wrong, but sound arrives."""
_PLAIN_WIDTH = 120


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `status` to the sub-commands."""
    parser = commands.add_parser(
        "status",
        help="say how the running daemon is",
        description=__doc__,
        epilog="example: ast-edge status --json | jq .sources",
    )
    parser.add_argument("--node", help="which one, where several run")
    parser.add_argument(
        "--history",
        metavar="COUNT",
        nargs="?",
        type=_count_of,
        const=50,
        help="the newest events instead, also of a daemon that is gone (50)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the whole document, or an event a line"
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print the status of the daemon on this machine, or the events of the past."""
    if args.history is not None:
        _print_history(args)
        return 0
    text = _ask(args.node)
    if args.json:
        sys.stdout.write(text)
        return 0
    show(printable_tree(json.loads(text)), _console())
    return 0


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(file=sys.stdout, width=_PLAIN_WIDTH)


def _count_of(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"expected a number of events, 1 or more, got {text}")
    return int(text)


def _print_history(args: argparse.Namespace) -> None:
    from ast_edge.outputs.history import find_history, read_history

    events = read_history(find_history(args.node), args.history)
    if args.json:
        for event in events:
            print(json.dumps(event, ensure_ascii=False))
    elif events:
        _console().print(_events(printable_tree(events)))
    else:
        print("no event yet")


def _ask(node: str | None) -> str:
    """Return the document of the one daemon that answers.

    Raises:
        AstError: none does, or several.
    """
    answers, refusals = {}, []
    for path in find_sockets():
        if node in (None, path.stem):
            try:
                answers[path.stem] = ask(path).decode()
            except (ConnectionRefusedError, FileNotFoundError):  # left behind
                continue
            except OSError as exc:
                refusals.append(f"{path}: {exc.strerror or exc}")
    if len(answers) > 1:
        raise ConfigError(f"several are running: choose one by --node {' or '.join(answers)}")
    if answers:
        return next(iter(answers.values()))
    if refusals:
        raise AstError(f"{'; '.join(refusals)}: ask as the daemon's user, or as root")
    which = f" with the node {node!r}" if node else ""
    raise AstError(f"no ast-edge{which} is running for this user; the system's is root's to ask")


def show(status: Json, console: Console) -> None:
    """Print a document for people."""
    console.print(_summary(status))
    console.print(_sources(status["sources"]))
    for name, found in status["sources"].items():
        if found["detail"]:
            since = f"since {_local(found['since'])}, {found['detail']}\n"
            console.print(Text.assemble((name, "bold"), f" is {found['state']} {since}"))
    if status["events"]:
        console.print(_events(status["events"]))


def _summary(status: Json) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    factor = status["real_time_factor"]
    speed = "" if factor is None else f", {factor:.3f} s of computing per second of sound"
    memory = status["memory_bytes"] / 2**20
    rows = [
        ("node", f"{status['node']}, up {_duration(status['uptime'])}"),
        ("ast-edge", f"{status['version']}, process {status['pid']}, {memory:.0f} MiB"),
        ("config", status["config"]),
        *_models(status["sources"], status["bundle"]),
        ("engine", status["engine"] + speed),
    ]
    for name, value in rows:
        table.add_row(name, Text(value))
    table.add_row("broker", _broker(status["broker"]))
    if status.get("web"):
        table.add_row("page", Text(status["web"]))
    if status["reload"]:
        table.add_row("reload", _reload(status["reload"]))
    return table


def _models(sources: Json, bundle: str) -> list[tuple[str, str]]:
    """Return the bundle, or each with its sources and engine."""
    models = dict.fromkeys(b for found in sources.values() if (b := found.get("bundle")))
    if len(models) < 2:
        return [("model", bundle)]
    named = {
        m: ", ".join(n for n, found in sources.items() if found.get("bundle") == m) for m in models
    }
    return [("model", f"{model}: {names}") for model, names in named.items()]


def _broker(broker: Json | None) -> Text:
    if broker is None:
        return Text("none")
    if broker["connected"]:
        text = Text.assemble(broker["address"], ": ", ("connected", "green"))
    else:
        fault = broker["fault"] or "connecting"
        text = Text.assemble(broker["address"], ": ", (fault, "red"))
    counts = {"waiting": "events wait", "lost": "events lost", "reconnects": "reconnects"}
    for key, what in counts.items():
        if broker[key]:
            text.append(f", {broker[key]} {what}")
    return text


def _reload(reload: Json) -> Text:
    at = _local(reload["time"])
    if reload["refusal"]:
        return Text.assemble((f"{at} refused: ", "red"), reload["refusal"])
    return Text(f"{at} followed")


def _sources(sources: Json) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("source", overflow="fold")
    table.add_column("state", no_wrap=True)
    for heading in ("level", "heard", "gaps", "dropped", "latency", "events"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in sources.items():
        state = Text(found["state"], _COLORS.get(found["state"], "yellow"))
        level, latency = found["level"], found["latency"]
        table.add_row(
            escape(name),
            state,
            f"{level['rms']:.0f} dBFS" if level else "",
            _duration(found["audio_seconds"]),
            *(_count(found[key]) for key in ("gaps", "dropped_windows")),
            "" if latency is None else f"{latency:.2f} s",
            _count(found["events"]),
        )
    return table


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _events(events: list[Json]) -> Table:
    """Return the newest events, the newest first."""
    table = Table("since", "source", "label", box=box.SIMPLE, pad_edge=False)
    for heading in ("for", "peak"):
        table.add_column(heading, justify="right", no_wrap=True)
    for event in reversed(events):
        lasts = f"{event['duration']:.1f} s"
        table.add_row(
            _local(event["onset"]),
            escape(event["source"]),
            Text(event["label"], "bold" if event["type"] != "end" else ""),
            lasts if event["type"] == "end" else f"{lasts} so far",
            f"{event['peak']:.2f}",
        )
    return table


def _local(iso: str) -> str:
    """Return a time of today as hours, of another day with the date."""
    moment = datetime.fromisoformat(iso.replace("Z", "+00:00")).astimezone()
    today = moment.date() == datetime.now().date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def _duration(seconds: float) -> str:
    """Return the two largest units: "3 d 4 h", "12 min 5 s"."""
    units = [("d", 86400), ("h", 3600), ("min", 60), ("s", 1)]
    rest, parts = int(seconds), list[str]()
    for unit, length in units:
        count, rest = divmod(rest, length)
        if count or (parts and len(parts) < 2):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
