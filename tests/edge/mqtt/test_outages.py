"""Brokers that restart and daemons that are killed, at random moments."""

import json
import random
import re
import time

import pytest
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Subscriber, retained, wait_until
from rigs.broker.publisher import Publisher

pytestmark = [
    pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available()),
    pytest.mark.slow,
]

AVAILABILITY = "ast-edge/attic/availability"
EVENTS = "ast-edge/attic/mic/event"
STATE = "ast-edge/attic/mic/dog/state"
TIMEOUT = 60.0


@pytest.fixture(params=["5", "3.1.1"])
def publisher(request, memory, tmp_path):
    publisher = Publisher(memory.port, tmp_path / "outbox.sqlite", request.param)
    yield publisher
    publisher.kill()


def heard(subscriber):
    """Return what has arrived as (id, phase), without the repetitions that QoS 1 allows."""
    payloads = map(json.loads, subscriber.on(EVENTS))
    return list(dict.fromkeys((p["id"], p["type"]) for p in payloads))


def is_told(broker, availability, state):
    """Wait until a late joiner is told this."""
    expected = {AVAILABILITY: availability, STATE: state}
    wait_until(lambda: expected.items() <= retained(broker).items(), TIMEOUT)


def connections(broker):
    """Return when (unix seconds) the daemon connected, from the broker's log."""
    return [
        int(t) for t in re.findall(r"(?m)^(\d+): New client .* as ast-edge-attic", broker.log())
    ]


@pytest.mark.timeout(300)
def test_ten_restarts_of_the_broker_and_three_kills_of_the_daemon_lose_nothing(memory, publisher):
    chance = random.Random(0)
    stops = set(chance.sample(range(5, 190, 4), 10))
    starts = {4} | {number + chance.randrange(1, 4) for number in stops}
    kills = set(chance.sample(range(5, 195), 3))
    said, began, is_up = [], time.time(), False
    with Subscriber(memory) as subscriber:
        memory.stop()  # not there at first
        for number in range(200):
            # Every event has a start and an end; if its daemon is killed, the next one says so.
            phase, id = ("start", "end")[number % 2], f"e{number // 2}"
            publisher.publish(phase, id)
            said.append((id, phase))
            state = "ON" if phase == "start" else "OFF"
            if number in stops:
                memory.stop()
                is_up = False
            if number in kills:
                publisher.kill()
                publisher.start()
                said.append((id, "end"))
                state = "OFF"
            if number in starts:
                memory.start()
                is_up = True
            if is_up and number in starts | kills:
                is_told(memory, "online", state)
        wait_until(lambda: set(heard(subscriber)) >= set(said), TIMEOUT)
        assert heard(subscriber) == list(dict.fromkeys(said))
        publisher.close()
        is_told(memory, "offline", "OFF")
    # One for every start of either side, and never more than one a second.
    assert len(connections(memory)) <= min(11 + 3, time.time() - began)
