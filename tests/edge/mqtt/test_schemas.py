import json

import jsonschema
import pytest
from jsonschema import Draft202012Validator
from rigs.broker.payloads import FOLDER, check

from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.outputs.payload import event_json

SCHEMAS = sorted(path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.schema.json"))


def event(phase="end", mid="/m/0bt9lr", **changes):
    label = Label(0, "Glöckchen, Dog", mid)
    whole = Event("e1", phase, "mic", label, 1700000000.0, 1700000002.0, 0.8, 0.9, "home")
    return json.loads(event_json(whole, node="attic")) | changes


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name):
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("phase", ["start", "update", "end"])
@pytest.mark.parametrize("mid", ["/m/0bt9lr", ""])
def test_every_event_follows_its_schema(phase, mid):
    check("event", json.dumps(event(phase, mid)))


@pytest.mark.parametrize(
    "changes",
    [
        *({"schema": 2}, {"type": "begin"}, {"score": 1.1}, {"onset": "now"}, {"mid": 3}),
        *({"slug": "Dog barks"}, {"offset": 0}, {"duration": -1}, {"node": "a/b"}),
    ],
)
def test_a_wrong_value_is_found(changes):
    with pytest.raises(jsonschema.ValidationError):
        check("event", json.dumps(event(**changes)))


@pytest.mark.parametrize("key", sorted(event()))
def test_a_missing_key_is_found(key):
    payload = event()
    del payload[key]
    with pytest.raises(jsonschema.ValidationError):
        check("event", json.dumps(payload))


def test_a_key_that_came_later_is_no_fault():
    check("event", json.dumps(event(novelty=1)))


def test_a_plain_state_is_checked_as_text():
    assert check("state", "ON") == "ON"
    with pytest.raises(jsonschema.ValidationError):
        check("state", "on")
