import json
import math
from dataclasses import replace

import pytest

from ast_edge.base.times import iso8601
from ast_edge.detection.event import Event
from ast_edge.detection.groups import Group
from ast_edge.model.label import Label
from ast_edge.outputs.payload import event_json, event_payload, interrupted_json, late_json

LABEL = Label(3, "Baby cry, infant cry", "/t/dd00002")


def event(phase="end", label=LABEL, score=0.81236, onset=1700000000.1):
    return Event("a1", phase, "kitchen", label, onset, onset + 2.40049, score, 0.9, "home")


def test_an_event_that_has_ended_has_every_key():
    assert event_payload(event(), node="attic") == {
        "schema": 1,
        "id": "a1",
        "type": "end",
        "label": "Baby cry, infant cry",
        "slug": "baby_cry_infant_cry",
        "mid": "/t/dd00002",
        "members": None,
        "node": "attic",
        "source": "kitchen",
        "onset": "2023-11-14T22:13:20.100Z",
        "offset": "2023-11-14T22:13:22.500Z",
        "duration": 2.4,
        "score": 0.8124,
        "peak": 0.9,
        "bundle": "home",
        "message": "a1-end-2400",
        "late": False,
    }


def test_a_group_names_its_members():
    group = Group(9, "Any animal", "", (Label(0, "Dog", ""), Label(1, "Cat", "")), "max")
    payload = event_payload(event(label=group), node="attic")
    assert (payload["label"], payload["members"]) == ("Any animal", ["Dog", "Cat"])


@pytest.mark.parametrize("phase", ["start", "update"])
def test_the_offset_is_null_while_the_sound_goes_on(phase):
    assert event_payload(event(phase), node="attic")["offset"] is None


def test_every_phase_has_the_same_keys():
    keys = {tuple(event_payload(event(p), node="n")) for p in ("start", "end")}
    assert len(keys) == 1


def test_a_label_that_audioset_lacks_has_no_mid():
    payload = event_payload(event(label=Label(0, "Kettle", "")), node="n")
    assert payload["mid"] is None


def test_times_are_rounded_to_the_nearest_millisecond():
    assert iso8601(1.9996) == "1970-01-01T00:00:02.000Z"


def test_the_json_is_one_line_even_for_an_odd_label():
    text = event_json(event(label=Label(0, "Glöckchen\n", "")), node="n")
    assert "\n" not in text
    assert json.loads(text)["label"] == "Glöckchen\n"


def test_a_score_that_is_no_number_is_refused_not_published():
    with pytest.raises(ValueError, match="not JSON compliant"):
        event_json(event(score=math.nan), node="n")


def test_every_message_of_an_event_has_an_id_of_its_own():
    start = event("start")
    life = [start, replace(start, phase="update", offset=start.offset + 5)]
    life += [replace(start, phase="update", offset=start.offset + 10), event("end")]
    ids = {event_payload(e, node="n")["message"] for e in life}
    assert len(ids) == len(life)


def test_the_same_message_has_the_same_id_again():
    first, second = (event_payload(event(), node="n") for _ in range(2))
    assert first["message"] == second["message"]


def test_a_late_event_differs_in_nothing_else():
    text = event_json(event(), node="n")
    assert json.loads(late_json(text)) == json.loads(text) | {"late": True}


def test_an_interrupted_event_ends_where_it_was_last_heard():
    running = event("update")
    end = json.loads(interrupted_json(event_json(running, node="n")))
    ended = event_payload(replace(running, phase="end"), node="n")
    assert end == ended | {"late": True}
