import json
from dataclasses import replace

import pytest
from rigs.full_disk import files_end_at

from ast_edge.app.settings import LiveSettings, SourceChanges
from ast_edge.detection.snooze import begin_snooze
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.mqtt.commands import Command, CommandRefused
from ast_edge.mqtt.topics import Topics

DOG, CAT = Label(0, "Dog", ""), Label(1, "Cat", "")
SETTINGS = {DOG: TrackerSettings(on=0.6, off=0.2), CAT: TrackerSettings(on=0.5, off=0.1)}
NOW = 1_000_000.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "settings.json"


def load(path, settings=SETTINGS, sources=("kitchen", "hall")):
    return LiveSettings(path, dict.fromkeys(sources, settings))


def test_without_changes_all_is_as_configured(path):
    live = load(path)
    assert live.of("kitchen").hears("dog", NOW)
    assert live.settings("kitchen", DOG) == SETTINGS[DOG]
    assert not path.exists()


@pytest.mark.parametrize(
    ("command", "dog", "cat"),
    [
        (Command("kitchen", "enabled", 0), False, False),
        (Command("kitchen", "snooze", 10), False, False),
        (Command("kitchen", "enabled", 0, DOG), False, True),
        (Command("hall", "enabled", 0), True, True),
    ],
)
def test_what_is_switched_off_is_not_heard(path, command, dog, cat):
    live = load(path)
    live.change(command, NOW)
    kitchen = live.of("kitchen")
    assert (kitchen.hears("dog", NOW), kitchen.hears("cat", NOW)) == (dog, cat)


def test_a_snooze_is_over_after_its_minutes(path):
    live = load(path)
    live.change(Command("kitchen", "snooze", 10), NOW)
    assert not live.of("kitchen").hears("dog", NOW + 599)
    assert live.of("kitchen").hears("dog", NOW + 600)
    assert [live.of("kitchen").minutes_left(NOW + s) for s in (0, 300, 601)] == [10, 5, 0]


@pytest.mark.parametrize(("left", "minutes"), [(60.0, 1), (59.0, 1), (1.0, 1), (0.0, 0), (-1.0, 0)])
def test_minutes_are_zero_only_when_a_snooze_is_over(left, minutes):
    snooze = begin_snooze(100.0, NOW + left - 100.0)
    assert SourceChanges(snooze=snooze).minutes_left(NOW) == minutes


def test_a_snooze_of_zero_ends_one(path):
    live = load(path)
    live.change(Command("kitchen", "snooze", 10), NOW)
    live.change(Command("kitchen", "snooze", 0), NOW + 1)
    assert live.of("kitchen").hears("dog", NOW + 2)


def test_a_threshold_is_changed_at_one_source_only(path):
    live = load(path)
    live.change(Command("kitchen", "on", 0.9, DOG), NOW)
    assert live.settings("kitchen", DOG) == TrackerSettings(on=0.9, off=0.2)
    assert live.settings("hall", DOG) == SETTINGS[DOG]


def test_a_label_without_changes_has_the_settings_of_the_configuration_and_no_copy(path):
    live = load(path)
    live.change(Command("kitchen", "on", 0.9, DOG), NOW)
    assert live.settings("kitchen", CAT) is SETTINGS[CAT]
    assert live.settings("hall", DOG) is SETTINGS[DOG]


def test_a_threshold_below_off_takes_off_with_it(path):
    live = load(path)
    live.change(Command("kitchen", "on", 0.1, DOG), NOW)
    assert live.settings("kitchen", DOG) == TrackerSettings(on=0.1, off=0.1)


def test_an_off_above_on_is_refused_and_changes_nothing(path):
    live = load(path)
    with pytest.raises(CommandRefused, match="off <= on"):
        live.change(Command("kitchen", "off", 0.7, DOG), NOW)
    assert live.settings("kitchen", DOG) == SETTINGS[DOG]
    assert not path.exists()


def test_changes_last_over_a_restart(path):
    live = load(path)
    for command in (
        Command("kitchen", "on", 0.9, DOG),
        Command("kitchen", "enabled", 0, CAT),
        Command("hall", "snooze", 5),
    ):
        live.change(command, NOW)
    again = load(path)
    assert again.settings("kitchen", DOG).on == 0.9
    assert not again.of("kitchen").hears("cat", NOW)
    assert not again.of("hall").hears("dog", NOW + 299)


@pytest.mark.parametrize("value", [0.1 + 0.2, 1e-05, 1 / 3, 0.0, 1.0, 5e-324])
def test_a_threshold_is_the_same_after_a_restart_to_its_last_bit(path, value):
    load(path).change(Command("kitchen", "on", value, DOG), NOW)
    assert load(path).settings("kitchen", DOG).on == value


def test_what_is_configured_no_more_is_forgotten(path):
    live = load(path)
    live.change(Command("kitchen", "on", 0.9, DOG), NOW)
    live.change(Command("hall", "enabled", 0), NOW)
    again = load(path, {CAT: SETTINGS[CAT]}, ["kitchen"])
    again.change(Command("kitchen", "enabled", 0, CAT), NOW)
    tree = json.loads(path.read_text())
    assert list(tree) == ["kitchen"]
    assert list(tree["kitchen"]["labels"]) == ["cat"]


def test_thresholds_that_no_longer_fit_are_forgotten(path):
    live = load(path)
    live.change(Command("kitchen", "off", 0.5, DOG), NOW)
    stricter = {DOG: TrackerSettings(on=0.3, off=0.2)}
    assert load(path, stricter).settings("kitchen", DOG) == stricter[DOG]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kitchen": 7}', '{"kitchen": {"enabled": "x"}}'])
def test_a_damaged_file_is_said_and_all_is_as_configured(path, caplog, text):
    path.parent.mkdir()
    path.write_text(text)
    assert load(path).of("kitchen").hears("dog", NOW)
    assert "settings.json: is damaged" in caplog.text


def test_a_full_disk_refuses_the_command_and_keeps_the_file(path):
    live = load(path)
    live.change(Command("kitchen", "enabled", 0), NOW)
    before = path.read_bytes()
    with files_end_at(10), pytest.raises(CommandRefused, match="cannot be written"):
        live.change(Command("kitchen", "enabled", 1), NOW)
    assert path.read_bytes() == before
    assert not live.of("kitchen").hears("dog", NOW)
    assert list(path.parent.iterdir()) == [path]


def test_without_a_file_changes_last_as_long_as_the_daemon():
    live = load(None)
    live.change(Command("kitchen", "enabled", 0), NOW)
    assert not live.of("kitchen").hears("dog", NOW)


def test_every_setting_is_told_retained(path):
    live, topics = load(path, sources=["kitchen"]), Topics("ast-edge", "attic")
    live.change(Command("kitchen", "snooze", 10), NOW)
    live.change(Command("kitchen", "on", 0.9, DOG), NOW)
    messages = list(live.messages(topics, NOW))
    assert all(message.retain for message in messages)
    told = {m.topic.removeprefix("ast-edge/attic/kitchen/"): m.payload for m in messages}
    assert told == {
        "enabled": "ON",
        "snooze": "10",
        "dog/enabled": "ON",
        "dog/on": "0.9",
        "dog/off": "0.2",
        "cat/enabled": "ON",
        "cat/on": "0.5",
        "cat/off": "0.1",
    }


def test_each_source_has_the_labels_and_thresholds_of_its_own_bundle(path):
    quiet = TrackerSettings(on=0.25, off=0.2)
    live = LiveSettings(path, {"kitchen": {DOG: quiet}, "hall": {CAT: quiet}})
    live.change(Command("kitchen", "on", 0.4, DOG), NOW)
    assert live.settings("kitchen", DOG) == replace(quiet, on=0.4)
    topics = [m.topic for m in live.messages(Topics("ast-edge", "attic"), NOW)]
    assert "ast-edge/attic/kitchen/dog/on" in topics
    assert "ast-edge/attic/hall/cat/on" in topics
    assert not [topic for topic in topics if "kitchen/cat" in topic or "hall/dog" in topic]
