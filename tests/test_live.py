"""The whole system on real parts: a microphone, the daemon as a process, a broker, a subscriber."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import yaml
from rigs import mosquitto, pulse

from ast_edge.cli.replay import replay
from ast_edge.engine import open_engine
from ast_edge.plan import load_plan

missing = pulse.available() or mosquitto.available()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing), reason=str(missing)),
]

DEMO = Path(__file__).parents[1] / "configs" / "demo" / "home.ogg"
EXCERPT = slice(36 * 16000, 60 * 16000)
"""The part of the demo that holds a car horn, a clock, speech and rain."""


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
    ended = [event for event in live if event["type"] == "end"]
    plan = load_plan(config)
    engine = open_engine(plan.bundle, plan.config.engine)

    def labels_after(silence):
        """Return what `replay` finds; the silence moves the sound against the hops."""
        samples, rate = soundfile.read(excerpt, dtype="float32")
        late = tmp_path / "late.wav"
        soundfile.write(late, np.concatenate([np.zeros(round(silence * rate)), samples]), rate)
        events = replay(late, plan.bundle, engine, plan.settings, plan.config.hop)
        return [event.label.name for event in events]

    # Nobody knows at which part of a hop the microphone was opened.
    expected = [labels_after(tenths / 10) for tenths in range(5)]
    assert [event["label"] for event in ended] in expected, log
    assert len(ended) >= 3
