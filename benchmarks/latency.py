"""Measure the delay from the onset of a sound to its MQTT message at a subscriber.

Plays a recording with known onsets in real time through the whole system: source thread, rolling
fbank, engine, tracker, MQTT client, broker, and a second client that notes when each `start`
arrives. The broker is the embedded one unless `--broker HOST:PORT` names another.

    python benchmarks/latency.py --repeat 3
"""

import argparse
import csv
import json
import queue
import statistics
import time
from pathlib import Path

from ast_edge.broker import EmbeddedBroker
from ast_edge.bundle import find_bundle, load_bundle
from ast_edge.config import EngineConfig, MqttConfig
from ast_edge.connection import Connection
from ast_edge.daemon import Daemon
from ast_edge.engine import open_engine
from ast_edge.mqtt import MqttSink
from ast_edge.pipeline import Pipeline
from ast_edge.recording import RecordingSource
from ast_edge.topics import Topics

DEMO = Path(__file__).parents[1] / "configs" / "demo"
NODE, SOURCE = "benchmark", "recording"
TOLERANCE = 3.0
"""Seconds after its onset (and 1 s before) in which a start counts as the event's."""


def main() -> None:
    """Print the delay of every event that was found, and the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", type=Path, default=DEMO / "home.ogg")
    parser.add_argument("--events", type=Path, default=DEMO / "home.tsv", help="onset, label, ...")
    parser.add_argument("--bundle", default="home")
    parser.add_argument("--hop", type=float, default=0.5)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--broker", metavar="HOST:PORT")
    args = parser.parse_args()
    with args.events.open(newline="") as file:
        events = [
            (float(row["onset"]), row["label"]) for row in csv.DictReader(file, delimiter="\t")
        ]
    delays = []
    for _ in range(args.repeat):
        if args.broker:
            host, port = args.broker.rsplit(":", 1)
            delays += _measure(args, events, MqttConfig(host=host, port=int(port)))
        else:
            with EmbeddedBroker() as broker:
                delays += _measure(args, events, broker.client_config(MqttConfig()))
    if not delays:
        raise SystemExit("no event of the recording was found")
    ordered = sorted(delays)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    print(
        f"onset to MQTT message at the subscriber, hop {args.hop} s: "
        f"p50 {statistics.median(ordered):.2f} s, p95 {p95:.2f} s, "
        f"min {ordered[0]:.2f} s, max {ordered[-1]:.2f} s "
        f"({len(ordered)} of {args.repeat * len(events)} events found)"
    )


def _measure(
    args: argparse.Namespace, events: list[tuple[float, str]], mqtt: MqttConfig
) -> list[float]:
    """Play the recording once and return the delays of the events that were found."""
    bundle = load_bundle(find_bundle(args.bundle))
    engine = open_engine(bundle, EngineConfig())
    arrived: queue.SimpleQueue[tuple[float, dict[str, str]]] = queue.SimpleQueue()
    ready: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    subscriber = Connection(
        mqtt,
        "ast-edge-benchmark-subscriber",
        on_up=lambda: subscriber.subscribe(Topics(mqtt.base_topic, NODE).event(SOURCE)),
        on_subscribed=ready.put,
        on_message=lambda _, payload: arrived.put((time.time(), json.loads(payload))),
    )
    subscriber.start()
    ready.get(timeout=10)
    sink = MqttSink(mqtt, NODE, bundle.name, [(SOURCE, label) for label in bundle.labels])
    started_at = time.time()
    source = RecordingSource(SOURCE, args.recording, "realtime", started_at)
    pipelines = {SOURCE: Pipeline(SOURCE, bundle, bundle.settings, args.hop)}
    Daemon([source], pipelines, engine, [sink]).run()
    time.sleep(1)  # for the last messages
    sink.close()
    subscriber.close()
    delays, waiting = [], list(events)
    while not arrived.empty():
        when, event = arrived.get()
        delay = {e: when - started_at - e[0] for e in waiting if e[1] == event["label"]}
        found = [e for e, seconds in delay.items() if -1 <= seconds <= TOLERANCE]
        if event["type"] == "start" and found:
            waiting.remove(found[0])
            delays.append(delay[found[0]])
            print(f"{found[0][0]:6.2f} s  {event['label']:30s} {delays[-1]:5.2f} s later")
    return delays


if __name__ == "__main__":
    main()
