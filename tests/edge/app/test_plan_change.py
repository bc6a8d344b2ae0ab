import json
import shutil

import pytest
from rigs.own import write_own

from ast_edge.app.config import Config
from ast_edge.app.plan import load_plan
from ast_edge.app.plan_change import RELOADED, PlanChange, compare

SOURCES = {"hall": {"microphone": "x"}, "attic": {"microphone": "y"}}
MQTT = {"host": "broker"}


@pytest.fixture
def difference(tmp_path, model_folder):
    """Compare two configurations, given as what they have beside sources and bundle."""

    def load(tree):
        path = tmp_path / "c.yaml"
        path.write_text(json.dumps({"sources": SOURCES, "bundle": str(model_folder)} | tree))
        return load_plan(path)

    return lambda before, after: compare(load(before), load(after))


def test_the_same_configuration_is_no_change(difference):
    change = difference({"mqtt": MQTT}, {"mqtt": MQTT})
    assert change == PlanChange()
    assert str(change) == ""


def test_what_tune_writes_of_itself_is_no_change(difference):
    hours = {"negative_hours": 1, "negative_recordings": 1, "negative_rooms": 1}
    tuned = {"labels": [], "settings": "", "model": "", "wish": 1, "limit": 1, **hours}
    assert difference({}, {"tuned": tuned}) == PlanChange()


def test_sources_come_go_and_change(difference):
    change = difference(
        {}, {"sources": {"hall": {"microphone": "x", "gain_db": 3}, "bath": {"microphone": "z"}}}
    )
    assert (change.added, change.removed, change.changed) == (("bath",), ("attic",), ("hall",))
    assert (change.started, change.stopped) == (("bath", "hall"), ("attic", "hall"))
    assert str(change) == "sources added: bath; removed: attic; changed: hall"


@pytest.mark.parametrize(
    ("before", "after", "labels"),
    [
        ({}, {"labels": {"Hum": None}}, ("Hiss",)),
        ({}, {"labels": {"Hum": {"on": 0.9}, "Hiss": None}}, ("Hum",)),
        ({}, {"labels": {"Hum": {"active": "22:00-06:00"}, "Hiss": None}}, ("Hum",)),
        ({"groups": {"a": ["Hum"]}}, {"groups": {"a": ["Hum", "Hiss"]}}, ("a",)),
        ({"groups": {"a": ["Hum"], "b": ["Hiss"]}}, {"groups": {"b": ["Hiss"]}}, ("a",)),
    ],
)
def test_a_label_changes_when_it_becomes_events_in_another_way(difference, before, after, labels):
    change = difference(before, after)
    assert change == PlanChange(labels=labels)


@pytest.mark.parametrize(
    "mqtt",
    [None, {"host": "other"}, {**MQTT, "base_topic": "x"}, {**MQTT, "tls": {}}],
)
def test_a_broker_that_is_reached_in_another_way_is_connected_to_anew(difference, mqtt):
    assert difference({"mqtt": MQTT}, {"mqtt": mqtt}) == PlanChange(connection=True)


def test_a_new_password_is_a_new_connection(difference, tmp_path):
    file = tmp_path / "password"
    file.write_text("one")
    mqtt = {**MQTT, "username": "me", "password_file": str(file)}
    plans = []
    for password in ("one", "two"):
        file.write_text(password)
        tree = {"sources": SOURCES, "bundle": str(tmp_path / "bands"), "mqtt": mqtt}
        (tmp_path / "c.yaml").write_text(json.dumps(tree))
        plans.append(load_plan(tmp_path / "c.yaml"))
    assert compare(*plans) == PlanChange(connection=True)


@pytest.mark.parametrize("key", ["home_assistant", "commands"])
def test_what_is_talked_about_does_not_concern_the_connection(difference, key):
    change = difference({"mqtt": MQTT}, {"mqtt": {**MQTT, key: False}})
    assert change == PlanChange(other=(f"mqtt.{key}",))


@pytest.mark.parametrize(
    ("before", "after", "restart"),
    [
        ({}, {"hop": 0.25}, "hop"),
        ({}, {"node": "other"}, "node"),
        ({}, {"engine": {"threads": 1}}, "engine"),
        ({}, {"history": False}, "history"),
        ({"mqtt": MQTT}, {"mqtt": {**MQTT, "outbox": False}}, "mqtt.outbox"),
        ({}, {"mqtt": {**MQTT, "echo": True}}, "mqtt.echo"),
        ({"mqtt": {"embedded": True}}, {"mqtt": MQTT}, "mqtt.embedded"),
    ],
)
def test_what_cannot_change_needs_a_restart(difference, before, after, restart):
    assert difference(before, after).restart == (restart,)


def test_every_key_can_change_or_needs_a_restart():
    assert set(Config.model_fields) > RELOADED


@pytest.mark.parametrize("place", ["file", "source"])
def test_a_bundle_whose_files_have_changed_needs_a_restart(
    tmp_path, model_folder, other_model, place
):
    bundles = [str(model_folder), str(other_model)]
    whole, own = bundles if place == "file" else reversed(bundles)
    sources = SOURCES | {"attic": SOURCES["attic"] | {"bundle": own}}
    (tmp_path / "c.yaml").write_text(json.dumps({"sources": sources, "bundle": whole}))
    before = load_plan(tmp_path / "c.yaml")
    tree = json.loads((model_folder / "bundle.json").read_text())
    tree["labels"][0]["name"] = "Purr"
    (model_folder / "bundle.json").write_text(json.dumps(tree))
    assert compare(before, load_plan(tmp_path / "c.yaml")).restart == ("bundle (its files)",)


def test_own_labels_that_have_changed_open_the_sources_of_their_bundle_anew(
    tmp_path, embedding_model, other_model
):
    mine = shutil.copytree(embedding_model, tmp_path / "mine")
    sources = SOURCES | {"attic": SOURCES["attic"] | {"bundle": str(other_model)}}
    (tmp_path / "c.yaml").write_text(json.dumps({"sources": sources, "bundle": str(mine)}))
    before = load_plan(tmp_path / "c.yaml")
    shutil.rmtree(mine)
    write_own(embedding_model, mine)
    change = compare(before, load_plan(tmp_path / "c.yaml"))
    assert change.restart == ()
    assert change.changed == ("hall",)
    assert change.labels == ("Bell", "Whistle")


def test_secrets_and_variables_that_changed_are_followed(tmp_path, model_folder, monkeypatch):
    (tmp_path / "c.yaml").write_text(
        f"bundle: {model_folder}\nsources:\n  hall: {{microphone: !secret mic}}\n"
        "  attic: {microphone: '${MIC}'}\nmqtt: {username: a, password: !secret broker}\n"
    )
    plans = []
    for number in range(2):
        monkeypatch.setenv("MIC", f"usb {number}")
        secrets = f"mic: hw:{number},0\nbroker: hunter{number}\n"
        (tmp_path / "secrets.yaml").write_text(secrets)
        plans.append(load_plan(tmp_path / "c.yaml"))
    change = compare(*plans)
    assert (change.changed, change.connection, change.restart) == (("hall", "attic"), True, ())
    assert "hunter" not in f"{plans} {change}"


@pytest.mark.parametrize("key", ["hop", "idle_hop", "latency"])
def test_a_source_that_is_looked_at_in_another_way_is_changed(difference, key):
    sources = SOURCES | {"attic": {"microphone": "y", key: 0.75}}
    change = difference({}, {"sources": sources})
    assert (change.changed, change.restart) == (("attic",), ())


def test_another_bundle_of_a_source_changes_this_source_alone(difference, other_model):
    attic = SOURCES["attic"] | {"bundle": str(other_model)}
    there = {"sources": SOURCES | {"attic": attic}}
    assert difference({}, there) == PlanChange(changed=("attic",))
    assert difference(there, {}) == PlanChange(changed=("attic",))
