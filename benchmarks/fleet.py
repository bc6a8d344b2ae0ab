"""Measure a mosquitto with a thousand nodes: messages, memory, and how all come back at once.

    python benchmarks/fleet.py
    python benchmarks/fleet.py --nodes 100 --seconds 5    # a quick look

The nodes are light clients in this process: they say what a daemon with one source and the labels
of `home` says, and wait as long as one does before they connect again. An event is a start, an end
and the states around it.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parts.daemon.light_node import LightNode
from parts.result import RESULTS, Result, Table, as_markdown

from ast_edge.detection.event import Event
from ast_edge.fleet.info import BundleInfo, NodeInfo, SourceInfo
from ast_edge.model.bundle import Bundle, load_bundle, shipped_bundles
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.topics import Topics
from ast_edge.outputs.payload import event_json

_LIST = [sys.executable, "-m", "ast_edge", "fleet", "list", "--json"]
PATIENCE = 120.0
"""Seconds that all nodes may take to be there."""


@dataclass(frozen=True)
class Found:
    """What was measured."""

    greeted: float
    """Seconds until all had said what is retained."""
    retained: int
    """Messages."""
    memory: float
    """MB of the broker."""
    rate: float
    """Messages a second from the nodes."""
    cpu: float
    """Of a core, the broker."""
    back: float
    """Seconds from the start of the broker until all had said everything again."""
    peak: int
    """Attempts to connect in the busiest second after that start."""
    listing: float
    """Seconds of `ast-edge fleet list`, its start included."""
    listed: int


class Broker:
    """A mosquitto that remembers nothing over a restart."""

    def __init__(self, folder: Path) -> None:
        """Take the folder for its configuration."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            "log_type error\nuser root\n"
        )

    def start(self) -> None:
        """Start it, and return when it listens."""
        self._process = subprocess.Popen(["mosquitto", "-c", self._config])
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    @property
    def memory(self) -> float:
        """MB that are resident."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1000

    @property
    def cpu(self) -> float:
        """Seconds of a core so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def make_node(number: int, port: int, bundle: Bundle, event_seconds: float) -> LightNode:
    """Return a node that says what a daemon with one source says."""
    name, source = f"node-{number:05}", "mic"
    topics = Topics("ast-edge", name)
    info = NodeInfo(
        name,
        "1.0.0",
        "2026-11-28T12:00:00.000Z",
        "0" * 64,
        "OpenVINO 2026.4.1, bf16, 1 thread",
        "Raspberry Pi 5 Model B Rev 1.0, aarch64",
        [BundleInfo(bundle.name, bundle.sha256, len(bundle.labels))],
        {source: SourceInfo("microphone", bundle.name)},
        [label.slug for label in bundle.labels],
    )
    status = json.dumps({"schema": 1, "state": "listening", "detail": "", "since": info.since})
    greeting = [
        Message(topics.availability, "online", retain=True),
        *(Message(topics.state(source, label), "OFF", retain=True) for label in bundle.labels),
        Message(topics.status(source), status, retain=True),
        Message(topics.source_availability(source), "online", retain=True),
        Message(topics.info, info.payload, retain=True),
    ]

    def event() -> Sequence[Message]:
        label = random.choice(bundle.labels)
        messages: list[Message] = []
        for phase, state in (("start", "ON"), ("end", "OFF")):
            began = 1.7e9
            text = event_json(
                Event("e" * 32, phase, source, label, began, began + 2, 0.8, 0.9, bundle.name),  # type: ignore[arg-type]
                node=name,
            )
            messages += [
                Message(topics.state(source, label), state, retain=True),
                Message(topics.event(source), text),
                Message(topics.attributes(source, label), text, retain=True),
                Message(topics.last(source), text, retain=True),
            ]
        return messages

    will = Message(topics.availability, "offline", retain=True)
    return LightNode(port, f"ast-edge-{name}", will, greeting, event, event_seconds)


async def measure(args: argparse.Namespace, broker: Broker) -> Found:
    """Let the nodes come, speak, lose their broker and come back."""
    bundle = load_bundle(shipped_bundles()["home"], sums=False)
    nodes = [make_node(n, broker.port, bundle, args.event_seconds) for n in range(args.nodes)]
    began = time.monotonic()
    tasks = [asyncio.create_task(node.run()) for node in nodes]
    await _until_greeted(nodes, began)
    greeted = max(node.greeted_at for node in nodes) - began
    retained = sum(node.sent for node in nodes)
    listing, listed = await asyncio.to_thread(_list, broker.port)
    memory, cpu, sent = broker.memory, broker.cpu, sum(node.sent for node in nodes)
    since = time.monotonic()
    await asyncio.sleep(args.seconds)
    seconds = time.monotonic() - since
    rate = (sum(node.sent for node in nodes) - sent) / seconds
    cpu = (broker.cpu - cpu) / seconds
    broker.kill()
    await asyncio.sleep(args.outage)
    broker.start()
    again = time.monotonic()
    await _until_greeted(nodes, again)
    back = max(node.greeted_at for node in nodes) - again
    seconds_of = [int(t - again) for node in nodes for t in node.attempts if t >= again]
    for task in tasks:
        task.cancel()
    peak = max(Counter(seconds_of).values())
    return Found(greeted, retained, memory, rate, cpu, back, peak, listing, listed)


async def _until_greeted(nodes: Sequence[LightNode], since: float) -> None:
    give_up = time.monotonic() + PATIENCE
    while not all(node.greeted_at > since for node in nodes):
        if time.monotonic() > give_up:
            sys.exit(f"not all nodes were there within {PATIENCE:g} s")
        await asyncio.sleep(0.05)


def _list(port: int) -> tuple[float, int]:
    began = time.monotonic()
    done = subprocess.run(
        [*_LIST, "--broker", f"127.0.0.1:{port}"],
        capture_output=True,
        check=True,
    )
    found = json.loads(done.stdout)
    return time.monotonic() - began, sum(node["info"] is not None for node in found)


def main() -> None:
    """Measure, save and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of events")
    parser.add_argument("--event-seconds", type=float, default=60.0, help="between two of a node")
    parser.add_argument("--outage", type=float, default=5.0, help="seconds without a broker")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    args = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 2 * args.nodes + 1000), most))
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder))
        broker.start()
        try:
            found = asyncio.run(measure(args, broker))
        finally:
            broker.kill()
    result = Result("A fleet at one broker", tables=[_table(found, args)])
    path = result.save("fleet", args.results)
    print(as_markdown(result), path, sep="\n")


def _table(found: Found, args: argparse.Namespace) -> Table:
    rows = [
        ["all nodes are there, each with what it retains", f"{found.greeted:.1f} s"],
        ["messages for that", f"{found.retained}"],
        ["resident memory of mosquitto", f"{found.memory:.0f} MB"],
        [
            f"messages, with an event a node in {args.event_seconds:g} s",
            f"{found.rate:.0f} a second",
        ],
        ["of a core for these, mosquitto", f"{found.cpu:.1%}"],
        [f"all are back after an outage of {args.outage:g} s", f"{found.back:.1f} s"],
        ["attempts to connect in the busiest second of that", f"{found.peak}"],
        ["`ast-edge fleet list`, its start included", f"{found.listing:.1f} s"],
        ["nodes that it lists", f"{found.listed}"],
    ]
    note = f"{args.nodes} nodes in one process, {args.seconds:g} s of events."
    return Table("A mosquitto with many nodes", ["what", "measured"], rows, note)


if __name__ == "__main__":
    main()
