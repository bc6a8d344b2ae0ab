"""Measure the delay from the onset of a sound to its MQTT message at a subscriber.

    python benchmarks/latency.py --hop 0.5 --latency 1 --sources 2
    python benchmarks/latency.py --save

Plays a recording with known onsets in real time through the whole system: source threads, rolling
fbank, engine, tracker, MQTT client, broker, and a second client that notes when each `start`
arrives. Several sources play it at once, each a part of a hop later, so that onsets lie anywhere
between two looks. The broker is in another process, unless `--broker HOST:PORT` names one.

The floor is what no computer could beat: half a hop on average until the next look, the seconds of
sound that `latency` asks for, and one inference.
"""

import argparse
import json
import queue
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from broker_process import run_broker
from result import Plot, Result, Table
from scene import DEMO, RATE, events, read

from ast_edge.audio import Block
from ast_edge.bundle import Bundle, find_bundle, load_bundle
from ast_edge.config import EngineConfig, MqttConfig
from ast_edge.connection import Connection
from ast_edge.daemon import Daemon
from ast_edge.engine import Engine, open_engine
from ast_edge.events import Event
from ast_edge.health import Health
from ast_edge.listener import Window
from ast_edge.mqtt import MqttSink
from ast_edge.pipeline import Pipeline
from ast_edge.recording import RecordingSource
from ast_edge.topics import Topics

NODE = "benchmark"
TOLERANCE = 3.0
"""Seconds after its onset, and what hop and latency add, in which a start counts as the event's."""
EARLY = 1.0
"""Seconds before its onset in which it does."""


@dataclass(frozen=True)
class Look:
    """When the window that an event begins in was complete, and when it was scored."""

    complete: float
    """Unix time of the window's last sample."""
    scored: float
    """Unix time."""
    seconds: float
    """That the engine took."""


@dataclass(frozen=True)
class Delay:
    """Seconds from an onset to the message, and the parts that are not evidence."""

    total: float
    before: float
    """From the window's last sample to the engine: the rest of the block, and the fbank."""
    engine: float
    after: float
    """From the engine to the subscriber: tracker, client, broker."""


@dataclass
class Notes:
    """Observer and sink that notes which look each event was found in."""

    looks: dict[str, Look] = field(default_factory=dict)
    """The newest of each source."""
    found: dict[str, Look] = field(default_factory=dict)
    """By the id of the event."""

    def heard(self, block: Block) -> None:
        """Do nothing."""

    def silent(self, source: str) -> None:
        """Do nothing."""

    def health(self, source: str, health: Health) -> None:
        """Do nothing."""

    def ended(self, source: str, error: BaseException | None) -> None:
        """Do nothing."""

    def scored(self, windows: Sequence[Window], seconds: float, dropped: int) -> None:
        """Note the windows of a batch."""
        now = time.time()
        for window in windows:
            complete = window.stream.started_at + window.heard
            self.looks[window.stream.source] = Look(complete, now, seconds)

    def publish(self, event: Event) -> None:
        """Note what an event was found in."""
        if event.phase == "start":
            self.found[event.id] = self.looks[event.source]

    def close(self) -> None:
        """Do nothing."""


def main() -> None:
    """Print and save the delays for every hop and latency."""
    args = _arguments()
    bundle = load_bundle(find_bundle(args.bundle))
    engine = open_engine(bundle, EngineConfig())
    # Without frame scores a latency changes nothing.
    latencies = args.latency if bundle.frame != "none" else [0.0]
    rows, series = [], dict[str, list[tuple[float, float]]]()
    with run_broker(args.broker) as mqtt:
        for latency in latencies:
            for hop in args.hop:
                delays, played = _measure(args, bundle, engine, mqtt, hop, latency)
                if not delays:
                    raise SystemExit(f"hop {hop:g} s, latency {latency:g} s: no event was found")
                rows.append(_row(delays, played, hop, latency))
                print(" | ".join(rows[-1]), flush=True)
                for name, share in (("p50", 50), ("p95", 95)):
                    curve = series.setdefault(f"latency {latency:g} s, {name}", [])
                    curve.append((hop, _percentile([d.total for d in delays], share)))
    caption = "Onset to MQTT message at a subscriber"
    columns = ["hop s", "latency s", "found", "p50 s", "p95 s", "p99 s"]
    columns += ["before the engine ms", "engine ms", "after it ms", "floor s"]
    note = (
        f"{bundle.name!r} ({bundle.window_seconds:.2f} s, frame scores: {bundle.frame}), "
        f"{engine.description}, {args.sources} sources at once. Before the engine: from the last "
        "sample of the window, the rest of its block of 100 ms included; after it: tracker, client "
        "and broker; all three are medians. The floor is hop / 2 + latency + engine."
    )
    command = f"python benchmarks/latency.py --bundle {Path(args.bundle).name}"
    result = Result("From a sound to its message", command)
    result.tables.append(Table(caption, columns, rows, note))
    result.plots.append(Plot(caption, "hop, s", "delay, s", series))
    print(f"\n{' | '.join(columns)}\n{note}")
    if args.save:
        print(result.save("latency"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", type=Path, default=DEMO / "home.ogg")
    parser.add_argument("--events", type=Path, default=DEMO / "home.tsv", help="onset, label, ...")
    parser.add_argument("--bundle", default="home")
    parser.add_argument("--hop", type=float, nargs="+", default=[0.25, 0.5, 1.0])
    parser.add_argument("--latency", type=float, nargs="+", default=[0.5, 1.0, 2.0])
    parser.add_argument("--sources", type=int, default=4)
    parser.add_argument("--seconds", type=float, help="of the recording; all unless given")
    parser.add_argument("--broker", metavar="HOST:PORT")
    parser.add_argument("--save", action="store_true", help="keep it in benchmarks/results")
    return parser.parse_args()


def _measure(
    args: argparse.Namespace,
    bundle: Bundle,
    engine: Engine,
    mqtt: MqttConfig,
    hop: float,
    latency: float,
) -> tuple[list[Delay], int]:
    """Play the recording, and return the delays of the events found, and how many there were."""
    names = {f"source-{n}": n * hop / args.sources for n in range(args.sources)}
    arrived: queue.SimpleQueue[tuple[float, dict[str, str]]] = queue.SimpleQueue()
    ready: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    subscriber = Connection(
        mqtt,
        "ast-edge-benchmark-subscriber",
        on_up=lambda: subscriber.subscribe(Topics(mqtt.base_topic, NODE).event("+")),
        on_subscribed=lambda topic, refusal: ready.put(refusal),
        on_message=lambda _, payload: arrived.put((time.time(), json.loads(payload))),
    )
    subscriber.start()
    if refusal := ready.get(timeout=10):
        raise SystemExit(f"the broker refuses to be listened to: {refusal}")
    entities = [(name, label) for name in names for label in bundle.labels]
    sink, notes = MqttSink(mqtt, NODE, bundle.name, entities), Notes()
    sink.wait_connected(10)
    sound = read(args.recording)[: args.seconds and round(args.seconds * RATE)]
    with tempfile.TemporaryDirectory() as scratch:
        started_at, sources = time.time(), []
        for name, pause in names.items():
            path = Path(scratch, f"{name}.wav")
            soundfile.write(path, np.pad(sound, (round(pause * RATE), 0)), RATE)
            sources.append(RecordingSource(name, path, "realtime", started_at))
        pipelines = {
            name: Pipeline(name, bundle, bundle.settings, hop, latency=latency) for name in names
        }
        daemon = Daemon(sources, pipelines, engine, [notes, sink], observers=[notes])
        daemon.run()
    time.sleep(1)  # for the last messages
    sink.close()
    subscriber.close()
    played = [row for row in events(args.events) if row[0] < len(sound) / RATE]
    waiting = {
        name: [(on + pause, label) for on, _, label in played] for name, pause in names.items()
    }
    delays = []
    while not arrived.empty():
        when, event = arrived.get()
        if event["type"] != "start":
            continue
        for onset, label in waiting[event["source"]]:
            total = when - started_at - onset
            if label == event["label"] and -EARLY <= total <= TOLERANCE + hop + latency:
                look = notes.found[event["id"]]
                before = look.scored - look.seconds - look.complete
                delays.append(Delay(total, before, look.seconds, when - look.scored))
                waiting[event["source"]].remove((onset, label))
                break
    return delays, len(names) * len(played)


def _row(delays: list[Delay], played: int, hop: float, latency: float) -> list[str]:
    totals = [delay.total for delay in delays]
    engine = statistics.median(delay.engine for delay in delays)
    return [
        f"{hop:g}",
        f"{latency:g}",
        f"{len(delays)} of {played}",
        *(f"{_percentile(totals, share):.2f}" for share in (50, 95, 99)),
        f"{1000 * statistics.median(delay.before for delay in delays):.0f}",
        f"{1000 * engine:.1f}",
        f"{1000 * statistics.median(delay.after for delay in delays):.1f}",
        f"{hop / 2 + latency + engine:.2f}",
    ]


def _percentile(values: list[float], share: float) -> float:
    return float(np.percentile(values, share))


if __name__ == "__main__":
    main()
