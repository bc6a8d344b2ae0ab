"""What a daemon has heard arrives, though daemon and broker die again and again."""

import json
import random
from functools import partial

import numpy as np
import pytest
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber, retained, wait_until

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.daemon import Daemon
from rigs.model import silence, tone

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

ROOT = "ast-edge/attic/"
EVENTS = ROOT + "kitchen/event"
SOUND = np.concatenate([tone("Hum", 0.5), tone("Hiss", 0.5), silence(1.5)])
ROUNDS = 120
RESTARTS, KILLS = 10, 3


class Fate:
    """Before which rounds the broker stops and starts, and the daemon is killed; by chance."""

    def __init__(self, seed):
        rng = random.Random(seed)
        moments = sorted(rng.sample(range(2, ROUNDS), 2 * RESTARTS))
        self.stops, self.starts = moments[::2], moments[1::2]
        without_broker = rng.choice(self.stops) + 1
        self.kills = {without_broker, *rng.sample(range(2, ROUNDS), KILLS - 1)}
        assert len(self.kills) == KILLS


@pytest.mark.slow
def test_no_event_is_lost_when_daemon_and_broker_die_again_and_again(tmp_path):
    fate = Fate(5)
    (tmp_path / "broker").mkdir()
    broker = Mosquitto(tmp_path / "broker", persistent=True)
    daemon = Daemon(tmp_path, broker, None)
    daemon.change(hop=0.25)
    before = 0  # events of those that were killed
    with broker, Subscriber(broker) as subscriber:
        with daemon:
            for number in range(ROUNDS):
                if number in fate.stops:
                    broker.stop()  # not killed: it would forget what the subscriber has not got yet
                if number in fate.kills:
                    daemon.kill()
                    before = len(daemon.written())
                    daemon.start()
                if number in fate.starts:
                    broker.start()
                    wait_until(partial(says_the_present, broker, daemon, before), 30.0)
                daemon.feed(SOUND)
            wait_until(lambda: messages(daemon.written()) <= messages(arrived(subscriber)), 30.0)
            daemon.wait()
        wait_until(lambda: messages(daemon.written()) <= messages(arrived(subscriber)))
        written, came = daemon.written(), arrived(subscriber)
    assert sum(event["type"] == "start" for event in written) >= 200
    known = messages(written)
    in_order = dict.fromkeys(event["message"] for event in came if event["message"] in known)
    assert list(in_order) == [event["message"] for event in written]
    started, ended = ({e["id"] for e in came if e["type"] == phase} for phase in ("start", "end"))
    assert started == ended
    assert min(daemon.pauses()) >= 1.0


def says_the_present(broker, daemon, before):
    """Tell whether the broker's retained messages are what the daemon has written last."""
    events = daemon.written()
    newest = {event["slug"]: event["type"] for event in events[before:]}
    said = retained(broker)
    for slug in ("hum", "hiss"):
        running = newest.get(slug, "end") != "end"
        if said.get(f"{ROOT}kitchen/{slug}/state") != ("ON" if running else "OFF"):
            return False
        attributes = json.loads(said.get(f"{ROOT}kitchen/{slug}/attributes", "{}"))
        if attributes.get("type") != ("start" if running else "end"):
            return False
    return said.get(ROOT + "availability") == "online" and daemon.written() == events


def arrived(subscriber):
    return [json.loads(payload) for payload in subscriber.on(EVENTS)]


def messages(events):
    return {event["message"] for event in events}
