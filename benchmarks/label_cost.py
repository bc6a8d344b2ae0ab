"""What a daemon does for every label, and what it takes: one side of `benchmarks/labels.py`.

    python benchmarks/label_cost.py --labels 527 --sources 8

Prints microseconds by what is done, as JSON. Another checkout is measured by the script of its own.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.app.commander import Commander
from ast_edge.app.control import Action, Control
from ast_edge.app.settings import LiveSettings
from ast_edge.audio.stream import Stream
from ast_edge.detection.groups import Group
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.detection.rules import Rule
from ast_edge.detection.schedule import Schedule, parse_period
from ast_edge.detection.tracker import EventTracker, Step
from ast_edge.frontend.listener import Window
from ast_edge.model.bundle import Bundle, find_bundle, load_bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.model.ontology import load_ontology
from ast_edge.mqtt.topics import Topics

PLAIN = TrackerSettings(on=0.5, off=0.3)
HOP = 0.5
NOON = 1_800_000_000.0
STEPS = 200
RUNNING = 5
"""Labels that are heard in the busy steps."""
COMMANDS = 5

Settings = dict[Label, TrackerSettings]
Costs = dict[str, float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=527)
    parser.add_argument("--sources", type=int, default=8)
    args = parser.parse_args()
    bundle = make_bundle(args.labels)
    costs = cost_of_steps(bundle) | cost_of_commands(bundle, args.sources)
    print(json.dumps(costs))


def make_bundle(labels: int) -> Bundle:
    """Return a bundle with so many of AudioSet's kinds of sound; its network is never run."""
    names = {Label(0, node.name, "").slug: node for node in load_ontology().kinds.values()}
    nodes = list(names.values())[:labels]
    assert len(nodes) == labels, f"expected at most {len(names)} labels, got {labels}"
    followed = tuple(Label(index, node.name, node.mid) for index, node in enumerate(nodes))
    settings = dict.fromkeys(followed, PLAIN)
    home = load_bundle(find_bundle("home"))
    return replace(home, labels=followed, settings=settings, frame="none")


def cost_of_steps(bundle: Bundle) -> Costs:
    """Return what one step takes: the tracker by itself, and all that follows the engine."""
    quiet, busy = _scores(bundle, 0), _scores(bundle, RUNNING)
    members = bundle.labels
    group = Group(len(members), "Any sound", "", members, "max")
    grouped: Settings = {**bundle.settings, group: PLAIN}
    day = (parse_period("06:00-22:00"),)
    hours = {label: Rule(Schedule(day, timezone.utc)) for label in members}
    return {
        "tracker, quiet": _tracker(bundle.settings, quiet),
        f"tracker, {RUNNING} events": _tracker(bundle.settings, busy),
        "window": _windows(bundle, bundle.settings, quiet),
        "window, a group of all labels": _windows(bundle, grouped, quiet),
        "window, hours for every label": _windows(bundle, bundle.settings, quiet, hours),
        "window, frame scores": _windows(replace(bundle, frame="head"), bundle.settings, quiet),
    }


def cost_of_commands(bundle: Bundle, count: int) -> Costs:
    """Return what a command and a greeting take of the connection's and the daemon's thread."""
    sources = [f"room{number}" for number in range(count)]
    labels, topics = list(bundle.labels), Topics("ast-edge", "bench")
    actions: list[Action] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = dict.fromkeys(sources, bundle.settings)
        control = Control(
            *(topics, dict.fromkeys(sources, labels)),
            Commander(
                LiveSettings(Path(folder) / "settings.json", settings),
                {name: Pipeline(name, Hearing(bundle, bundle.settings, HOP)) for name in sources},
            ),
            publish=lambda make: None,
            submit=actions.append,
            restart=lambda: None,
        )
        actions.clear()
        threshold = topics.command(sources[0], "on", labels[-1])
        heard, applied = [], []
        for number in range(COMMANDS):
            payload = f"{0.5 + 0.05 * number:g}".encode()
            heard.append(_microseconds(lambda p=payload: control.received(threshold, p)))
            applied.append(_microseconds(actions.pop()))
        return {
            "threshold, MQTT thread": statistics.median(heard),
            "threshold, daemon's thread": statistics.median(applied),
            "greeting, MQTT thread": _median(control.greet, COMMANDS),
        }


def _scores(bundle: Bundle, heard: int) -> NDArray[np.float32]:
    """Return the scores (steps, labels) of room tone, in which so many labels are heard."""
    shape = (STEPS, len(bundle.labels))
    scores = np.random.default_rng(0).uniform(0, 0.2, shape).astype(np.float32)
    scores[:, :heard] = 0.9
    return scores


def _tracker(settings: Settings, scores: NDArray[np.float32]) -> float:
    tracker = EventTracker("room", settings, lambda: "id")
    steps = (Step(n * HOP, n * HOP, (n + 1) * HOP, row) for n, row in enumerate(scores))
    return _median(lambda: tracker.feed(next(steps)), len(scores))


def _windows(
    bundle: Bundle,
    settings: Settings,
    scores: NDArray[np.float32],
    rules: dict[Label, Rule] | None = None,
) -> float:
    pipeline = Pipeline("room", Hearing(bundle, settings, HOP, rules=rules or {}))
    stream, nothing = Stream("room", 16_000, 1, NOON, live=True), np.zeros((0, 0), np.float32)
    frame = scores[: bundle.members[0].steps]
    windows = (
        (Window(stream, n * HOP - 4, n * HOP, HOP, n * HOP, nothing), row, frame)
        for n, row in enumerate(scores, 1)
    )
    return _median(lambda: pipeline.score(*next(windows)), len(scores))


def _median(work: Callable[[], object], times: int) -> float:
    return statistics.median(_microseconds(work) for _ in range(times))


def _microseconds(work: Callable[[], object]) -> float:
    began = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - began) / 1000


if __name__ == "__main__":
    main()
