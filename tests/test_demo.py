"""The shipped bundle on the shipped recording: what `make demo` shows."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from ast_edge.cli.replay import replay
from ast_edge.detection.hearing import Hearing
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.model.bundle import find_bundle, load_bundle

CONFIGS = Path(__file__).parents[1] / "configs"
FOUND = {
    "Dog",
    "Cat",
    "Sneeze",
    "Crowing, cock-a-doodle-doo",
    "Baby cry, infant cry",
    "Vehicle horn, car horn, honking",
    "Tick-tock",
    "Speech",
    "Rain",
}
"""Labels of the recording's events that the bundle `home` finds while they sound."""


@pytest.fixture(scope="module")
def truth():
    with (CONFIGS / "demo" / "home.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="module", params=["openvino", "onnxruntime"])
def events(request):
    bundle = load_bundle(find_bundle("home"))
    engine = open_engine(bundle, EngineConfig(name=request.param))
    return list(replay(CONFIGS / "demo" / "home.ogg", Hearing(bundle, bundle.settings), engine))


def test_the_recording_holds_at_least_six_different_events(truth):
    assert len({row["label"] for row in truth}) >= 6


def test_the_demo_finds_these_events(truth, events):
    found = {
        row["label"]
        for row in truth
        for event in events
        if event.label.name == row["label"]
        and event.onset < float(row["offset"])
        and event.offset > float(row["onset"])
    }
    assert found == FOUND


def test_the_demo_reports_nothing_that_does_not_sound(truth, events):
    for event in events:
        assert any(
            event.label.name == row["label"]
            and event.onset < float(row["offset"])
            and event.offset > float(row["onset"])
            for row in truth
        ), event


@pytest.mark.slow
def test_the_demo_prints_what_its_subscriber_receives_and_ends_with_0():
    demo = subprocess.run(
        [sys.executable, "-m", "ast_edge", "run", "--config", CONFIGS / "demo.yaml"],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert demo.returncode == 0, demo.stderr
    starts = [line for line in demo.stdout.splitlines() if "start" in line]
    assert len(starts) >= len(FOUND)
