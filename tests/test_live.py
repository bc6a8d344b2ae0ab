"""The whole system on real parts: a microphone, the daemon as a process, a broker, a subscriber."""

import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
import soundfile
import soxr
import yaml
from rigs.broker import mosquitto
from rigs.sound import pulse

from ast_edge.app.plan import load_plan
from ast_edge.cli.replay import replay
from ast_edge.engines.choice import open_engine

missing = pulse.available() or mosquitto.available()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing), reason=str(missing)),
]

DEMO = Path(__file__).parents[1] / "configs" / "demo" / "home.ogg"
EXCERPT = slice(36 * 16000, 48 * 16000)
"""The part of the demo that holds a car's horn and a clock."""

LABELS = ("Vehicle horn, car horn, honking", "Tick-tock")
ON = 0.35
"""A threshold that these sounds clear wherever in a hop they begin (their peaks are above 0.6)."""


@pytest.fixture
def excerpt(tmp_path):
    samples, rate = soundfile.read(DEMO, dtype="float32")
    # At the sound server's own rate: its resampler would take away some of the treble.
    soundfile.write(tmp_path / "excerpt.wav", soxr.resample(samples[EXCERPT], rate, 48000), 48000)
    return tmp_path / "excerpt.wav"


def test_a_recording_played_into_a_microphone_gives_the_events_of_the_file(tmp_path, excerpt):
    with (
        pulse.VirtualMicrophone() as microphone,
        mosquitto.Mosquitto(tmp_path) as broker,
        mosquitto.Subscriber(broker) as subscriber,
    ):
        config = tmp_path / "mic.yaml"
        config.write_text(
            yaml.safe_dump(
                {
                    "node": "test",
                    "sources": {"kitchen": {"microphone": pulse.DEVICE}},
                    "mqtt": {"host": "127.0.0.1", "port": broker.port},
                    "labels": {label: {"on": ON} for label in LABELS},
                }
            )
        )
        daemon = subprocess.Popen(
            [sys.executable, "-m", "ast_edge", "run", "--config", config],
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **microphone.environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            subscriber.wait_on("ast-edge/test/availability")
            microphone.wait_for_listener()
            microphone.play(excerpt).wait(timeout=50)
            time.sleep(4)  # the window and the hold of the last event
        finally:
            daemon.terminate()
            log = daemon.communicate(timeout=20)[1]
        assert daemon.returncode == 0, log
        subscriber.wait_for(lambda: "offline" in subscriber.on("ast-edge/test/availability"))
        live = [json.loads(text) for text in subscriber.on("ast-edge/test/kitchen/event")]
    heard = [event for event in live if event["type"] == "end"]
    plan = load_plan(config)
    engine = open_engine(plan.bundles[0], plan.config.engine)
    found = list(replay(excerpt, plan.hearings["kitchen"], engine))
    assert [event["label"] for event in heard] == list(LABELS), log
    assert [event.label.name for event in found] == list(LABELS)
    onsets = [datetime.fromisoformat(e["onset"].replace("Z", "+00:00")) for e in heard]
    for onset, event in zip(onsets, found, strict=True):
        live_delay = (onset - onsets[0]).total_seconds()
        assert live_delay == pytest.approx(event.onset - found[0].onset, abs=1.0)
