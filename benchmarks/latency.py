"""Measure the delay from the onset of a sound to its MQTT message at a subscriber.

    python benchmarks/latency.py
    python benchmarks/latency.py --hop 0.5 --latency 1 --sources 2    # a quick look

Plays a recording with known onsets in real time through the whole system: source threads, rolling
fbank, engine, tracker, MQTT client, broker, and a second client that notes when each `start`
arrives. Several sources play it at once, each a part of a hop later, so that onsets lie anywhere
between two looks. The broker is in another process, unless `--broker HOST:PORT` names one.

The floor is what no computer could beat with a model that knows a sound from its first sample: half
a hop on average until the next look, the seconds of sound that `latency` asks for, one inference.
"""

import argparse
import json
import queue
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from parts.daemon.broker_process import run_broker
from parts.result import RESULTS, Plot, Result, Table, as_markdown
from parts.scene import DEMO, RATE, events, read

from ast_edge.app.daemon import Daemon
from ast_edge.audio.health import Health
from ast_edge.audio.stream import Block, Stream
from ast_edge.detection.event import Event
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Engine
from ast_edge.frontend.listener import Window
from ast_edge.model.bundle import Bundle, find_bundle, load_bundle
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.connection import Connection
from ast_edge.mqtt.event_sink import MqttSink
from ast_edge.mqtt.outbox import Outbox
from ast_edge.mqtt.topics import Topics
from ast_edge.sources.recording import RecordingSource

NODE = "benchmark"
TOLERANCE = 3.0
"""Seconds after its onset, and what hop and latency add, in which a start counts as the event's."""
EARLY = 1.0
"""Seconds before its onset in which it does."""


@dataclass(frozen=True)
class Look:
    """When the window that an event begins in was complete, there, and scored; Unix times."""

    complete: float
    """Of the window's last sample."""
    there: float
    """When the block that holds it reached the daemon."""
    engine: float
    """Seconds that the engine took."""


@dataclass(frozen=True)
class Delay:
    """Seconds from an onset to the message, and their parts."""

    total: float
    sound: float
    """From the onset to the last sample of the window that the event was found in."""
    block: float
    """From there until its block is full and has reached the daemon."""
    engine: float

    @property
    def rest(self) -> float:
        """Filterbank, tracker, client, broker."""
        return self.total - self.sound - self.block - self.engine


@dataclass
class Notes:
    """Observer and sink that notes which look each event was found in."""

    streams: dict[str, Stream] = field(default_factory=dict)
    """That of each source."""
    there: dict[str, float] = field(default_factory=dict)
    """When the newest block of each source reached the daemon."""
    looks: dict[str, Look] = field(default_factory=dict)
    """The newest of each source."""
    found: dict[str, Look] = field(default_factory=dict)
    """By the id of the event."""

    def heard(self, block: Block) -> None:
        """Note when a block came."""
        self.streams[block.stream.source] = block.stream
        self.there[block.stream.source] = time.time()

    def silent(self, source: str) -> None:
        """Do nothing."""

    def health(self, source: str, health: Health) -> None:
        """Do nothing."""

    def ended(self, source: str, error: BaseException | None) -> None:
        """Do nothing."""

    def scored(self, windows: Sequence[Window], seconds: float, dropped: int) -> None:
        """Note the windows of a batch."""
        for window in windows:
            source, complete = window.stream.source, window.heard_at
            self.looks[source] = Look(complete, self.there[source], seconds)

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
                print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
                middle = statistics.median(delay.total for delay in delays)
                name = f"latency {latency:g} s"
                series.setdefault(f"{name}, median", []).append((hop, middle))
                series.setdefault(f"{name}, floor", []).append((hop, _floor(delays, hop, latency)))
    note = (
        f"Bundle {bundle.name} ({bundle.window_seconds:.2f} s, frame scores: {bundle.frame}), "
        f"{engine.description}, {args.sources} sources at once. Found are events with a message up "
        f"to {TOLERANCE:g} s + hop + latency after their onset. The floor is hop / 2 + latency + "
        "engine. The last four columns are medians of what a delay is made of: the sound that was "
        "heard until the model was sure, until the next look and for the latency; the wait until "
        "the block of 100 ms is full that the look needs; and what is computed: the engine, and "
        "all else (filterbank, tracker, MQTT client and broker)."
    )
    columns = ["hop s", "latency s", "found", "p50 s", "p95 s", "p99 s", "floor s"]
    columns += ["sound s", "block ms", "engine ms", "all else ms"]
    caption = "Onset to MQTT message at a subscriber"
    result = Result("From a sound to its message")
    result.tables.append(Table(caption, columns, rows, note))
    result.plots.append(Plot(caption, "hop, s", "seconds", series, logarithmic=True))
    path = result.save("latency", args.results)
    print(as_markdown(result), path, sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", type=Path, default=DEMO / "home.ogg")
    parser.add_argument("--events", type=Path, default=DEMO / "home.tsv", help="onset, label, ...")
    parser.add_argument("--bundle", default="home")
    parser.add_argument("--hop", type=float, nargs="+", default=[0.25, 0.5, 1.0])
    parser.add_argument("--latency", type=float, nargs="+", default=[0.3, 1.0, 2.0])
    parser.add_argument("--sources", type=int, default=4)
    parser.add_argument("--seconds", type=float, help="of the recording; all unless given")
    parser.add_argument("--broker", metavar="HOST:PORT")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
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
        on_message=lambda _, payload, retained: arrived.put((time.time(), json.loads(payload))),
    )
    subscriber.start()
    if refusal := ready.get(timeout=10):
        raise SystemExit(f"the broker refuses to be listened to: {refusal}")
    entities = [(name, label) for name in names for label in bundle.labels]
    limits = mqtt.outbox
    outbox = Outbox(None, max_age=limits.max_age, max_events=limits.max_events)
    sink, notes = MqttSink(mqtt, NODE, outbox), Notes()
    sink.follow(entities, lambda: [])
    sink.start()
    sink.wait_connected(10)
    sound = read(args.recording)[: args.seconds and round(args.seconds * RATE)]
    with tempfile.TemporaryDirectory() as scratch:
        sources = []
        for name, pause in names.items():
            path = Path(scratch, f"{name}.wav")
            soundfile.write(path, np.pad(sound, (round(pause * RATE), 0)), RATE)
            sources.append(RecordingSource(name, path, "realtime"))
        pipelines = {
            name: Pipeline(name, Hearing(bundle, bundle.settings, hop, latency=latency))
            for name in names
        }
        daemon = Daemon(
            sources, pipelines, {bundle.folder: engine}, [notes, sink], observers=[notes]
        )
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
        started_at = notes.streams[event["source"]].started_at
        for onset, label in waiting[event["source"]]:
            total = when - started_at - onset
            if label == event["label"] and -EARLY <= total <= TOLERANCE + hop + latency:
                look = notes.found[event["id"]]
                sound, block = look.complete - started_at - onset, look.there - look.complete
                delays.append(Delay(total, sound, block, look.engine))
                waiting[event["source"]].remove((onset, label))
                break
    return delays, len(names) * len(played)


def _row(delays: list[Delay], played: int, hop: float, latency: float) -> list[str]:
    totals = [delay.total for delay in delays]
    return [
        f"{hop:g}",
        f"{latency:g}",
        f"{len(delays)} of {played}",
        *(f"{np.percentile(totals, share):.2f}" for share in (50, 95, 99)),
        f"{_floor(delays, hop, latency):.2f}",
        f"{statistics.median(delay.sound for delay in delays):.2f}",
        f"{1000 * statistics.median(delay.block for delay in delays):.0f}",
        f"{1000 * statistics.median(delay.engine for delay in delays):.1f}",
        f"{1000 * statistics.median(delay.rest for delay in delays):.1f}",
    ]


def _floor(delays: list[Delay], hop: float, latency: float) -> float:
    return hop / 2 + latency + statistics.median(delay.engine for delay in delays)


if __name__ == "__main__":
    main()
