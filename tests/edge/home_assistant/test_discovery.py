import re

import pytest
from rigs.broker.payloads import check

from ast_edge.base.errors import ConfigError
from ast_edge.home_assistant.announcer import discovery_messages
from ast_edge.home_assistant.discovery import check_device_classes, describe, device_id
from ast_edge.model.label import Label
from ast_edge.mqtt.home_assistant_config import HomeAssistantConfig
from ast_edge.mqtt.topics import Topics

TOPICS = Topics("ast-edge", "attic")
DOG = Label(0, "Dog", "/m/0bt9lr")
SMOKE = Label(1, "Smoke detector, smoke alarm", "/m/01y3hg")
DOORBELL = Label(2, "Doorbell", "/m/03wwcy")
LABELS = [DOG, SMOKE, DOORBELL]
# The rules of homeassistant.components.mqtt.
TOPIC = re.compile(r"\w+/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config")


def devices(sources=("kitchen",), labels=LABELS, *, commands=True, **options):
    config = HomeAssistantConfig(**options)
    return _describe(config, sources, labels, commands)


def _describe(config, sources, labels, commands):
    models = dict.fromkeys(sources, "home")
    reported = dict.fromkeys(sources, labels)
    return describe(*(config, TOPICS, reported), models=models, commands=commands, updates=True)


def components(labels=LABELS, **options):
    return devices(labels=labels, **options)[1].components


def many(count):
    return [Label(number, f"Label {number}", "") for number in range(count)]


@pytest.mark.parametrize("per_entity", [False, True])
@pytest.mark.parametrize("commands", [False, True])
def test_every_message_follows_its_schema(per_entity, commands):
    config = HomeAssistantConfig(per_entity=per_entity, areas={"kitchen": "Kitchen"})
    found = _describe(config, ["kitchen", "attic-2"], LABELS, commands)
    kind = "discovery-entity" if per_entity else "discovery"
    for message in discovery_messages(config, found):
        check(kind, message.payload)
        assert message.retain


@pytest.mark.parametrize("per_entity", [False, True])
def test_every_topic_is_one_that_home_assistant_takes(per_entity):
    config = HomeAssistantConfig(per_entity=per_entity)
    for message in discovery_messages(config, devices(["kitchen", "attic-2"])):
        assert TOPIC.fullmatch(message.topic.removeprefix("homeassistant/"))


def test_no_two_entities_have_the_same_id():
    sources = ["a", "b", "a-b", "label_dog", "event"]
    found = devices(sources, [*LABELS, Label(7, "Event", ""), Label(8, "Level", "")])
    ids = [str(c["unique_id"]) for device in found for c in device.components.values()]
    assert len(set(ids)) == len(ids)


def test_nodes_and_sources_that_differ_in_hyphens_only_have_different_ids():
    assert device_id("a-b", "c") != device_id("a", "b-c")
    assert device_id("a-b") != device_id("a", "b")


def test_a_source_is_connected_via_its_host():
    host, kitchen = devices()
    assert kitchen.description["via_device"] in host.description["identifiers"]


def test_a_source_is_available_when_it_and_the_node_are():
    payload = devices()[1].payload
    assert payload["availability"] == [
        {"topic": "ast-edge/attic/availability"},
        {"topic": "ast-edge/attic/kitchen/availability"},
    ]
    assert payload["availability_mode"] == "all"


@pytest.mark.parametrize("key", ["status", "enabled", "restart", "on_dog"])
def test_what_helps_a_source_that_has_failed_needs_only_the_node(key):
    assert components()[key]["availability"] == [{"topic": "ast-edge/attic/availability"}]


def test_no_entity_repeats_the_name_of_its_device():
    device = devices(names={"kitchen": "Kitchen"})[1]
    assert device.description["name"] == "Kitchen"
    assert not [c for c in device.components.values() if "Kitchen" in str(c["name"])]


def test_a_smoke_alarm_is_a_smoke_detector_only_by_option():
    key = "label_smoke_detector_smoke_alarm"
    assert components()[key]["device_class"] == "sound"
    assert components(smoke_class=True)[key]["device_class"] == "smoke"


def test_a_device_class_can_be_given_to_any_label():
    assert components(device_classes={"dog": "safety"})["label_dog"]["device_class"] == "safety"


def test_a_device_class_for_an_unknown_label_is_refused_with_the_nearest():
    config = HomeAssistantConfig(device_classes={"Dogg": "safety"})
    with pytest.raises(ConfigError, match=r"'Dogg' is not .* did you mean 'Dog'"):
        check_device_classes(config, LABELS)


def test_each_device_has_the_labels_and_the_model_of_its_source():
    config = HomeAssistantConfig(device_classes={"doorbell": "safety"})
    labels, models = {"hall": [DOG], "door": [DOORBELL]}, {"hall": "home", "door": "bells"}
    _, hall, door = describe(config, TOPICS, labels, models=models, commands=True)
    assert [key for key in hall.components if key.startswith("label_")] == ["label_dog"]
    assert [key for key in door.components if key.startswith("label_")] == ["label_doorbell"]
    assert door.components["label_doorbell"]["device_class"] == "safety"
    assert "on_dog" not in door.components
    assert hall.components["event"]["event_types"] == ["dog"]
    found = [device.description["model"] for device in (hall, door)]
    assert found == ["Sound detector, model home", "Sound detector, model bells"]


def test_without_commands_there_is_nothing_to_change():
    kinds = {c["platform"] for c in components(commands=False).values()}
    assert kinds == {"binary_sensor", "event", "sensor"}


@pytest.mark.parametrize(
    ("count", "option", "expected"), [(10, False, 10), (11, False, 0), (11, True, 11)]
)
def test_many_labels_have_thresholds_only_by_option(count, option, expected):
    found = components(many(count), label_controls=option)
    assert len([key for key in found if key.startswith("on_")]) == expected


def test_no_entity_is_disabled_because_home_assistant_would_keep_it_for_ever():
    assert not [c for c in components(many(100)).values() if "enabled_by_default" in c]


def test_an_area_is_suggested_where_one_is_given():
    given = devices(["kitchen", "attic"], areas={"kitchen": "Kitchen"})
    assert given[1].description["suggested_area"] == "Kitchen"
    assert "suggested_area" not in given[2].description
