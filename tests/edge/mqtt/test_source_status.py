import json

import pytest
from rigs.broker.payloads import check

from ast_edge.audio.level import FLOOR_DBFS, Level
from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.monitoring.state import STATES
from ast_edge.mqtt.source_status import Diagnostics, NodeStatus
from ast_edge.mqtt.topics import Topics
from ast_edge.outputs.payload import event_json

TOPICS = Topics("ast-edge", "attic")
DOG = Label(0, "Dog", "/m/0bt9lr")
ROOT = "ast-edge/attic/mic"


@pytest.fixture
def status():
    return NodeStatus(TOPICS, ["mic"], since=0.0)


def event(phase, number=0):
    return Event(f"e{number}", phase, "mic", DOG, 1700000000.0, 1700000002.0, 0.8, 0.9, "home")


def diagnostics(**changes):
    values = {"latency": 0.1234, "real_time_factor": 0.0456, "dropped_windows": 0}
    return Diagnostics(**values | changes, model="home", engine="openvino")


def by_topic(messages):
    return {message.topic: message.payload for message in messages}


def test_a_source_is_not_available_before_it_is_heard(status):
    greeting = by_topic(status.greet())
    assert check("status", greeting[f"{ROOT}/status"])["state"] == "starting"
    assert check("availability", greeting[f"{ROOT}/availability"]) == "offline"


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_retained_and_follows_its_schema(status, state):
    messages = status.source_state("mic", state, since=1.0, detail="the cable is loose")
    payloads = by_topic(messages)
    assert check("status", payloads[f"{ROOT}/status"]) == {
        "schema": 1,
        "state": state,
        "detail": "the cable is loose",
        "since": "1970-01-01T00:00:01.000Z",
    }
    check("availability", payloads[f"{ROOT}/availability"])
    assert all(message.retain for message in messages)


@pytest.mark.parametrize(
    ("state", "available"),
    [("listening", "online"), ("disabled", "online"), ("silent", "offline"), ("failed", "offline")],
)
def test_a_source_that_hears_nothing_is_not_available(status, state, available):
    status.source_state("mic", state, since=0.0)
    assert by_topic(status.greet())[f"{ROOT}/availability"] == available


@pytest.mark.parametrize("phase", ["start", "end"])
def test_an_event_becomes_the_newest_of_its_label_and_its_source(status, phase):
    payloads = by_topic(status.event(event(phase)))
    assert set(payloads) == {f"{ROOT}/dog/attributes", f"{ROOT}/last"}
    for payload in payloads.values():
        assert check("attributes", payload)["type"] == phase


def test_an_update_changes_nothing_that_is_retained(status):
    assert status.event(event("update")) == []


def test_a_new_connection_is_told_the_newest_only(status):
    status.event(event("start", 1))
    status.event(event("end", 2))
    assert json.loads(by_topic(status.greet())[f"{ROOT}/last"])["id"] == "e2"


def test_what_is_said_of_a_source_is_not_said_twice(status):
    status.source_state("mic", "failed", since=1.0, detail="gone")
    assert status.source_state("mic", "failed", since=2.0, detail="gone") == []


def test_events_that_another_run_left_behind_are_the_newest(status):
    texts = [event_json(event(p), node="attic") for p in ("start", "update", "end")]
    status.recall(texts, {"mic": [DOG]})
    retained = by_topic(status.greet())
    for topic in (f"{ROOT}/dog/attributes", f"{ROOT}/last"):
        newest = check("attributes", retained[topic])
        assert (newest["type"], newest["late"]) == ("end", True)


@pytest.mark.parametrize("gone", ["label", "source"])
def test_events_of_what_is_configured_no_more_are_not_retained(gone):
    status = NodeStatus(TOPICS, [] if gone == "source" else ["mic"], since=0.0)
    before = status.greet()
    text = event_json(event("end"), node="attic")
    status.recall([text], {"mic": [] if gone == "label" else [DOG]})
    assert status.greet() == before


def test_a_level_is_rounded_and_not_retained(status):
    (message,) = status.level("mic", Level(-10.04, -40.26), now=0.0)
    assert check("level", message.payload) == {"schema": 1, "rms": -40.3, "peak": -10.0}
    assert (message.retain, message.qos) == (False, 0)


def test_digital_silence_is_a_level(status):
    (message,) = status.level("mic", Level(), now=0.0)
    assert check("level", message.payload)["rms"] == FLOOR_DBFS


def test_a_changing_level_is_said_every_five_seconds(status):
    said = [t for t in range(60) if status.level("mic", Level(-10.0, -40.0 - t), now=100.0 + t)]
    assert said == list(range(0, 60, 5))


def test_a_steady_level_is_said_every_half_minute(status):
    said = [t for t in range(70) if status.level("mic", Level(-10, -40 - t % 2 / 2), now=float(t))]
    assert said == [0, 30, 60]


def test_levels_of_several_sources_come_at_different_moments():
    sources = [f"mic{number}" for number in range(8)]
    status = NodeStatus(TOPICS, sources, since=0.0)
    for step in range(200):  # a tenth of a second each
        levels = (status.level(s, Level(0, -60 + step % 7 * 5), now=step / 10) for s in sources)
        assert sum(map(len, levels)) <= 1


def test_diagnostics_follow_their_schema_and_are_retained(status):
    (message,) = status.diagnostics("mic", diagnostics(), now=0.0)
    assert message.retain
    assert check("diagnostics", message.payload) == {
        "schema": 1,
        "latency_ms": 120.0,
        "real_time_factor": 0.046,
        "dropped_windows": 0,
        "model": "home",
        "engine": "openvino",
    }


def test_diagnostics_are_null_as_long_as_nothing_is_known(status):
    unknown = diagnostics(latency=None, real_time_factor=None)
    (message,) = status.diagnostics("mic", unknown, now=0.0)
    assert check("diagnostics", message.payload)["latency_ms"] is None


def test_diagnostics_come_on_change_and_at_most_every_half_minute(status):
    said = [
        now
        for now in range(100)
        if status.diagnostics("mic", diagnostics(dropped_windows=min(now, 50)), now=float(now))
    ]
    assert said == [0, 30, 60]


def test_noise_in_the_measurements_is_no_change(status):
    status.diagnostics("mic", diagnostics(latency=0.1201), now=0.0)
    assert status.diagnostics("mic", diagnostics(latency=0.1213), now=60.0) == []


def test_eight_sources_stay_under_fifty_messages_a_second_at_rest():
    sources = [f"mic{number}" for number in range(8)]
    status = NodeStatus(TOPICS, sources, since=0.0)
    messages = [0] * 120
    for step in range(1200):  # a tenth of a second each; nothing is ever the same as before
        for source in sources:
            level, count = Level(0, -60 + step % 7 * 5), diagnostics(dropped_windows=step)
            messages[step // 10] += len(status.level(source, level, now=step / 10))
            messages[step // 10] += len(status.diagnostics(source, count, now=step / 10))
    assert max(messages) < 50
