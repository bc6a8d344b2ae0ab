import json
import re

import pytest

from ast_edge.fleet.update_status import UpdateStatus
from ast_edge.home_assistant.entities import Entities, update_entities
from ast_edge.model.label import Label
from ast_edge.mqtt.topics import Topics

DOG = Label(0, "Dog", "/m/0bt9lr")
DOORBELL = Label(1, "Doorbell", "/m/03wwcy")
ENTITIES = Entities("ast-edge-attic-kitchen", Topics("ast-edge", "attic"), "kitchen")
ROOT = "ast-edge/attic/kitchen"


def everything():
    sounds = ENTITIES.sounds([DOG, DOORBELL], {DOG: "safety"})
    controls = ENTITIES.controls() | ENTITIES.label_controls([DOG, DOORBELL])
    return sounds | ENTITIES.sensors() | controls


def test_a_label_has_an_icon_and_its_newest_event():
    dog = everything()["label_dog"]
    assert (dog["platform"], dog["icon"]) == ("binary_sensor", "mdi:dog")
    assert dog["state_topic"] == f"{ROOT}/dog/state"
    assert dog["json_attributes_topic"] == f"{ROOT}/dog/attributes"


def test_a_label_is_a_sound_unless_it_is_something_else():
    assert everything()["label_doorbell"]["device_class"] == "sound"
    assert everything()["label_dog"]["device_class"] == "safety"


def test_an_event_has_a_type_for_each_label():
    assert everything()["event"]["event_types"] == ["dog", "doorbell"]


def test_a_doorbell_rings():
    doorbell = everything()["doorbell"]
    assert (doorbell["device_class"], doorbell["event_types"]) == ("doorbell", ["ring"])
    assert "doorbell" not in ENTITIES.sounds([DOG], {})


@pytest.mark.parametrize("key", ["event", "doorbell"])
def test_the_braces_of_an_event_template_match(key):
    template = everything()[key]["value_template"]
    assert re.findall(r"{%|%}|{{|}}", template) == ["{%", "%}", "{{", "}}", "{%", "%}"]


def test_an_event_of_a_label_that_came_with_a_reload_is_of_no_type_before_it_is_described():
    template = pytest.importorskip("jinja2").Template(everything()["event"]["value_template"])
    types = []
    for slug in ("dog", "cat"):
        text = template.render(value_json={"type": "start", "slug": slug})
        types.append(json.loads(text)["event_type"] if text else None)
    assert types == ["dog", None]


def test_a_threshold_is_a_number_from_zero_to_one():
    threshold = everything()["on_dog"]
    assert (threshold["platform"], threshold["min"], threshold["max"]) == ("number", 0, 1)
    assert threshold["command_topic"] == f"{ROOT}/set/dog/on"
    assert threshold["state_topic"] == f"{ROOT}/dog/on"


def test_a_level_expires_and_is_not_worth_an_acknowledgement():
    level = everything()["level"]
    assert (level["expire_after"], level["qos"], level["unit_of_measurement"]) == (90, 0, "dBFS")


def test_the_unique_id_of_an_entity_is_that_of_its_key():
    for key, entity in everything().items():
        assert entity["unique_id"] == f"ast-edge-attic-kitchen-{key}"


STATUS = UpdateStatus("downloading", "why" * 200, "home aaaaaaaa", "home bbbbbbbb", 40)


def test_the_model_is_shown_with_the_keys_that_home_assistant_takes():
    update = update_entities("ast-edge-attic", Topics("ast-edge", "attic"), commands=True)["update"]
    template = pytest.importorskip("jinja2").Template(update["value_template"])
    text = template.render(value_json=json.loads(STATUS.payload))
    shown = json.loads(text)
    assert shown == {
        "installed_version": "home aaaaaaaa",
        "latest_version": "home bbbbbbbb",
        "in_progress": True,
        "update_percentage": 40,
        "release_summary": ("why" * 200)[:255],
    }


def test_without_commands_the_model_can_be_looked_at_alone():
    components = update_entities("x", Topics("ast-edge", "attic"), commands=False)
    assert list(components) == ["update"]
    assert "command_topic" not in components["update"]
