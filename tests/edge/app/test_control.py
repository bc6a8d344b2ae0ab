import json
from dataclasses import replace

import pytest

from ast_edge.app import settings as live_settings
from ast_edge.app.commander import Commander
from ast_edge.app.control import Control
from ast_edge.app.settings import LiveSettings
from ast_edge.audio.health import OK
from ast_edge.base.errors import ConfigError
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.model.bundle import load_bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.monitoring.source_monitor import SourceMonitor
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.reporter import Reporter
from ast_edge.mqtt.source_status import NodeStatus
from ast_edge.mqtt.topics import Topics

TOPICS = Topics("ast-edge", "attic")
START = 1_000_000.0


class Rig:
    """A control whose actions are done at once, with a clock of the test's own."""

    def __init__(self, bundle, path=None):
        self.now, self.restarts, self.events, self.fault = START, 0, [], None
        self.set_by = 0.0  # of the wall clock
        self.labels = list(bundle.settings)
        self.pipelines = {"kitchen": Pipeline("kitchen", Hearing(bundle, bundle.settings, 0.1))}
        self.enabled = {}
        set_enabled = self.pipelines["kitchen"].set_enabled

        def note(labels):
            self.enabled["kitchen"] = [label.slug for label in labels]
            return set_enabled(labels)

        self.pipelines["kitchen"].set_enabled = note
        clock, steady = lambda: self.now + self.set_by, lambda: self.now
        self.settings = LiveSettings(path, {"kitchen": bundle.settings}, wall=clock, steady=steady)
        self.told = []
        self.status = NodeStatus(TOPICS, ["kitchen"], since=START)
        monitor = SourceMonitor({"kitchen": "bands"}, clock)
        monitor.renderers.append(Reporter(self.status, self._publish, lambda source: "numpy"))
        monitor.health("kitchen", OK)
        self.commander = Commander(
            self.settings, self.pipelines, tell=monitor.pause, clock=clock, steady=steady
        )
        self.control = Control(
            TOPICS,
            {"kitchen": self.labels},
            self.commander,
            publish=self._publish,
            submit=lambda action: self.events.extend(action()),
            restart=self._restart,
            steady=steady,
        )

    def _publish(self, make):
        self.told.extend(make())

    def _restart(self):
        self.restarts += 1
        if self.fault:
            raise self.fault

    def send(self, name, payload, label=None, *, retained=False):
        topic = TOPICS.command("kitchen", name, label)
        self.told.clear()
        return by_name(self.control.received(topic, payload, retained=retained) + self.told)

    def wait(self, seconds):
        """Let time pass and return what is told of it."""
        self.now += seconds
        self.told.clear()
        events, sources = self.commander.pass_time()
        self.events.extend(events)
        for source in sources:
            self.control.passed(source)
        return by_name(self.told)


def by_name(messages):
    return {m.topic.removeprefix("ast-edge/attic/kitchen/"): m for m in messages}


@pytest.fixture
def bundle(tiny_model):
    return load_bundle(tiny_model)


@pytest.fixture
def rig(bundle):
    return Rig(bundle)


def test_hears_all_commands_of_the_node(rig):
    assert rig.control.subscriptions == ("ast-edge/attic/+/set/#",)


def test_a_command_is_acknowledged_by_the_retained_setting(rig):
    told = rig.send("enabled", b"OFF", rig.labels[0])
    assert (told["hum/enabled"].payload, told["hum/enabled"].retain) == ("OFF", True)


def test_only_what_a_command_has_changed_is_told(rig):
    assert list(rig.send("on", b"0.05", rig.labels[0])) == ["hum/on", "hum/off"]
    assert list(rig.send("on", b"0.05", rig.labels[0])) == ["hum/on"]


@pytest.mark.parametrize(
    ("name", "payload", "number"),
    [
        ("on", b"0.05", 1),
        ("off", b"0.4", 0),
        ("enabled", b"OFF", 1),
        ("enabled", b"OFF", None),
        ("snooze", b"7", None),
        ("restart", b"PRESS", None),
    ],
)
def test_all_that_a_command_has_changed_is_told_and_the_setting_itself(rig, name, payload, number):
    label = None if number is None else rig.labels[number]
    for _ in "ab":  # the second changes nothing
        before = rig.control.greet()
        told = [message for message in rig.send(name, payload, label).values() if message.retain]
        own = TOPICS.setting("kitchen", name, label)
        after = rig.control.greet()
        expected = [m for m in after if m not in before or m.topic == own]
        assert [message for message in told if message in after] == expected


def test_what_a_command_takes_does_not_grow_with_the_labels(bundle, monkeypatch):
    made = []

    def message(*args, **kwargs):
        made.append(args)
        return Message(*args, **kwargs)

    monkeypatch.setattr(live_settings, "Message", message)
    taken = []
    for count in (2, 527):
        labels = [Label(index, f"Label {index}", "") for index in range(count)]
        settings = dict.fromkeys(labels, TrackerSettings())
        rig = Rig(replace(bundle, labels=tuple(labels), settings=settings))
        made.clear()
        rig.send("on", b"0.75", labels[1])
        taken.append(len(made))
    assert taken[0] == taken[1] > 0


def test_what_is_switched_off_is_not_followed_any_more(rig):
    assert rig.enabled["kitchen"] == ["hum", "hiss"]
    rig.send("enabled", b"OFF", rig.labels[0])
    assert rig.enabled["kitchen"] == ["hiss"]
    rig.send("enabled", b"OFF")
    assert rig.enabled["kitchen"] == []


def test_a_threshold_reaches_the_tracker(rig):
    rig.send("on", b"0.875", rig.labels[1])
    tracker = rig.pipelines["kitchen"]._tracker
    assert tracker._settings[tracker._places[rig.labels[1]]].on == 0.875


def test_a_snooze_ends_by_itself(rig):
    told = rig.send("snooze", b"2")
    assert (told["snooze"].payload, rig.enabled["kitchen"]) == ("2", [])
    assert rig.wait(1) == {}
    assert (rig.wait(60)["snooze"].payload, rig.enabled["kitchen"]) == ("1", [])
    told = rig.wait(60)
    assert (told["snooze"].payload, rig.enabled["kitchen"]) == ("0", ["hum", "hiss"])
    assert json.loads(told["status"].payload)["state"] == "listening"


def test_a_snooze_goes_on_after_a_restart_and_ends_by_itself(bundle, tmp_path):
    Rig(bundle, tmp_path / "settings.json").send("snooze", b"2")
    rig = Rig(bundle, tmp_path / "settings.json")
    assert rig.enabled["kitchen"] == []
    assert rig.wait(121)["snooze"].payload == "0"
    assert rig.enabled["kitchen"] == ["hum", "hiss"]


def test_a_command_is_judged_by_the_configuration_of_when_it_is_followed(rig):
    rig.commander.turn_to(rig.settings.for_others(None, {"kitchen": {}}))
    told = rig.send("on", b"0.5", rig.labels[0])
    assert "say it again" in json.loads(told["rejected"].payload)["reason"]


def test_what_was_changed_holds_with_another_configuration(rig, bundle):
    rig.send("on", b"0.875", rig.labels[0])
    rig.send("snooze", b"10")
    rig.commander.turn_to(rig.settings.for_others(None, {"kitchen": bundle.settings}))
    greeting = by_name(rig.control.greet())
    assert (greeting["hum/on"].payload, greeting["snooze"].payload) == ("0.875", "10")


@pytest.mark.parametrize(
    ("name", "payload", "why"),
    [
        ("enabled", b"OFF", "switched off by a command"),
        ("snooze", b"10", "snoozed until 1970-01-12T13:56:40.000Z"),
    ],
)
def test_the_status_of_a_source_says_that_and_why_it_is_disabled(rig, name, payload, why):
    status = json.loads(rig.send(name, payload)["status"].payload)
    assert (status["state"], status["detail"]) == ("disabled", why)


def test_the_status_says_that_a_source_is_listened_to_again(rig):
    rig.send("enabled", b"OFF")
    rig.now += 100
    status = json.loads(rig.send("enabled", b"ON")["status"].payload)
    assert (status["state"], status["since"]) == ("listening", "1970-01-12T13:48:20.000Z")


def test_changes_are_applied_at_the_next_start(bundle, tmp_path):
    Rig(bundle, tmp_path / "settings.json").send("enabled", b"OFF")
    rig = Rig(bundle, tmp_path / "settings.json")
    assert rig.enabled["kitchen"] == []
    assert rig.commander.pause("kitchen") == "switched off by a command"


def test_a_refused_command_is_answered_with_the_reason_and_changes_nothing(rig):
    told = rig.send("on", b"2", rig.labels[0])
    assert list(told) == ["rejected"]
    assert not told["rejected"].retain
    answer = json.loads(told["rejected"].payload)
    assert answer["topic"] == "ast-edge/attic/kitchen/set/hum/on"
    assert "expected a number from 0 to 1, got '2'" in answer["reason"]
    assert rig.settings.settings("kitchen", rig.labels[0]).on != 2


def test_a_command_for_no_source_of_ours_is_not_answered(rig):
    assert rig.control.received("ast-edge/attic/attik/set/enabled", b"OFF") == []


@pytest.mark.parametrize("jump", [0, 60, -86400])
def test_a_restart_is_followed_whatever_the_clock_says(rig, jump):
    rig.control.greet()
    rig.now += jump
    assert rig.send("restart", b"PRESS") == {}
    assert rig.restarts == 1


def test_a_restart_that_could_not_begin_is_answered_with_the_reason(rig):
    rig.fault = ConfigError("c.yaml: labels.Dgo: did you mean 'Dog'?")
    told = rig.send("restart", b"PRESS")
    reason = json.loads(told["rejected"].payload)["reason"]
    assert reason.startswith("restart: it could not begin anew: c.yaml: labels.Dgo")


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("enabled", b"OFF"),
        ("snooze", b"1440"),
        ("hum/on", b"0.99"),
        ("hum/enabled", b"OFF"),
        ("restart", b"PRESS"),
        ("nonsense", b"x"),
    ],
)
def test_what_is_retained_is_refused_whatever_it_is(rig, name, payload):
    before = rig.control.greet()
    told = rig.send(name, payload, retained=True)
    assert list(told) == ["rejected"]
    assert "it is retained" in json.loads(told["rejected"].payload)["reason"]
    assert (rig.control.greet(), rig.restarts) == (before, 0)


def test_a_retained_command_that_is_taken_away_is_no_command(rig, caplog):
    assert rig.send("enabled", b"") == {}
    assert not caplog.messages


@pytest.mark.parametrize("set_by", [-8 * 3600, 8 * 3600])
def test_a_clock_that_is_set_makes_no_snooze_longer_or_shorter(rig, set_by):
    rig.send("snooze", b"30")
    rig.set_by = set_by
    rig.now += 600
    greeting = by_name(rig.control.greet())
    assert greeting["snooze"].payload == "20"
    assert rig.send("on", b"0.5", rig.labels[0])
    assert rig.enabled["kitchen"] == []
    rig.now += 1200
    rig.send("on", b"0.6", rig.labels[0])
    assert rig.enabled["kitchen"] == ["hum", "hiss"]


def test_a_clock_that_is_set_back_does_not_keep_a_restart_from_being_followed(rig):
    rig.control.greet()
    rig.set_by = -8 * 3600
    rig.now += 10
    rig.send("restart", b"PRESS")
    assert rig.restarts == 1


def test_a_greeting_tells_every_setting(rig):
    topics = [message.topic for message in rig.control.greet()]
    assert len(topics) == 2 + 2 * 3
    assert TOPICS.setting("kitchen", "snooze") in topics
