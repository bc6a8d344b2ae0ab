"""Events, reviews and settings, by HTTP."""

import json

import numpy as np
import pytest
from rigs.broker.mosquitto import wait_until
from rigs.model import silence, tone
from rigs.page import TIMEOUT, Visitor

from ast_edge.outputs.reviews import newest_lines, read_reviews


@pytest.fixture
def event(house):
    """An event that is over, and remembered."""
    house.hall.pour(np.concatenate([silence(1), tone("Hum", 1), silence(4)]))
    visitor = Visitor(house).log_in()
    wait_until(
        lambda: [e for e in visitor.get("api/events")["events"] if e["type"] == "end"], TIMEOUT
    )
    return visitor.get("api/events")["events"][-1]


def test_events_of_before_a_restart_are_remembered(build, event):
    again = build(node="attic")
    (known,) = Visitor(again).log_in().get("api/events")["events"]
    assert known["id"] == event["id"]


def test_a_review_is_kept_and_told_with_the_event(house, visitor, event, state_folder):
    said = {"ids": [event["id"]], "verdict": "other", "label": "Hiss"}
    assert visitor.ask("POST", "api/reviews", said)[0] == 200
    (known,) = visitor.get("api/events")["events"]
    assert (known["verdict"], known["true"]) == ("other", "Hiss")
    (kept,) = newest_lines(state_folder / "reviews-attic.jsonl").values()
    assert (kept["label"], kept["true"], kept["source"]) == ("Hum", "Hiss", "hall")
    undone = {"ids": [event["id"]], "verdict": "undone"}
    assert visitor.ask("POST", "api/reviews", undone)[0] == 200
    assert "verdict" not in visitor.get("api/events")["events"][0]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"ids": [], "verdict": "right"},
        {"ids": ["f" * 32], "verdict": "right"},
        {"ids": [1], "verdict": "right"},
        {"ids": ["f" * 32] * 501, "verdict": "right"},
        {"ids": "x", "verdict": "right"},
        {"ids": ["x"], "verdict": {}},
    ],
)
def test_a_review_of_nothing_is_refused(visitor, said):
    assert visitor.ask("POST", "api/reviews", said)[0] in (400, 409)


def test_nothing_is_changed_unless_changes_are_allowed(build):
    visitor = Visitor(build()).log_in()
    assert visitor.ask("POST", "api/reviews", {"ids": ["x"], "verdict": "right"})[0] == 403
    assert visitor.ask("PUT", "api/settings", {"path": "hall/set/hum/on", "value": "1"})[0] == 403
    assert visitor.get("api/state")["changes"] is False


def test_a_setting_is_followed_by_the_daemon_and_kept(house, visitor, state_folder):
    assert visitor.ask("PUT", "api/settings", {"path": "hall/set/hum/on", "value": "0.9"})[0] == 200
    hum = house.service.plan.bundles[0].label("Hum")
    assert house.service.commander.settings.settings("hall", hum).on == 0.9
    assert "0.9" in (state_folder / "settings-attic.json").read_text()


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("hall/set/hum/on", "2", "expected a number"),
        ("hall/set/hum/on", "nan", "expected a number"),
        ("hall/set/hum/on", "0.01", None),
        ("hall/set/hum/off", "0.99", "off"),
        ("hall/set/hun/on", "0.5", "did you mean 'hum'"),
        ("cellar/set/enabled", "ON", "no source"),
        ("hall/set/enabled", "yes", "expected ON or OFF"),
        ("hall/set/restart", "PRESS", "not from the page"),
        ("hall/set/snooze", "9" * 100, "at most"),
        ("../../etc", "x", "no topic"),
        ("", "", "no topic"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_the_reason(visitor, path, value, why):
    status, _, text = visitor.ask("PUT", "api/settings", {"path": path, "value": value})
    assert status == (409 if why else 200)
    assert (why or "") in text


def test_a_snooze_is_told_with_its_minutes(visitor):
    assert visitor.ask("PUT", "api/settings", {"path": "hall/set/snooze", "value": "15"})[0] == 200
    source = visitor.get("api/state")["sources"]["hall"]
    assert source["snooze"] == 15


def test_an_export_is_of_what_was_asked_for(visitor, event):
    _, head, text = visitor.ask("GET", "api/export?format=audacity&slug=hum")
    assert "attachment" in head["Content-Disposition"]
    assert text.endswith("\tHum\n")
    assert visitor.ask("GET", "api/export?format=audacity&slug=hiss")[2] == ""
    assert visitor.ask("GET", "api/export?format=exe")[0] == 400


def test_a_clip_is_played_if_one_was_kept(build, tmp_path):
    house = build(clips={"folder": str(tmp_path / "clips"), "post_roll": 0})
    visitor = Visitor(house).log_in()
    house.hall.pour(np.concatenate([silence(1), tone("Hum", 1), silence(8)]))
    wait_until(lambda: [e for e in visitor.get("api/events")["events"] if e["clip"]], TIMEOUT)
    (event,) = visitor.get("api/events")["events"]
    status, head, _ = visitor.ask("GET", f"api/clip?id={event['id']}")
    assert (status, head["Content-Type"]) == (200, "audio/flac")


def test_a_review_says_where_the_clip_is(build, tmp_path, state_folder):
    house = build(clips={"folder": str(tmp_path / "clips"), "post_roll": 0}, web={"changes": True})
    visitor = Visitor(house).log_in()
    house.hall.pour(np.concatenate([silence(1), tone("Hum", 1), silence(8)]))
    wait_until(lambda: [e for e in visitor.get("api/events")["events"] if e["clip"]], TIMEOUT)
    (event,) = visitor.get("api/events")["events"]
    said = {"ids": [event["id"]], "verdict": "right"}
    assert visitor.ask("POST", "api/reviews", said)[0] == 200
    (review,) = read_reviews(state_folder / "reviews-attic.jsonl").reviews
    assert [review.clip] == list((tmp_path / "clips").iterdir())


@pytest.fixture
def discreet(build, tmp_path):
    """Sound is written only of events that are reviewed."""
    clips = {"folder": str(tmp_path / "clips"), "post_roll": 0, "only_reviewed": True}
    return build(clips=clips | {"min_free_bytes": 0}, web={"changes": True})


def over(visitor):
    """Wait for an event that is over; return its id."""
    wait_until(
        lambda: [e for e in visitor.get("api/events")["events"] if e["type"] == "end"], TIMEOUT
    )
    return visitor.get("api/events")["events"][-1]["id"]


def test_with_only_reviewed_a_clip_is_written_with_the_review_and_not_before(
    discreet, tmp_path, state_folder
):
    visitor = Visitor(discreet).log_in()
    discreet.hall.pour(np.concatenate([silence(1), tone("Hum", 1), silence(8)]))
    said = {"ids": [over(visitor)], "verdict": "right"}
    discreet.act()
    refused = {"ids": said["ids"], "verdict": "other", "label": "\x1b"}
    assert visitor.ask("POST", "api/reviews", refused)[0] == 409
    assert list((tmp_path / "clips").iterdir()) == []
    _, _, answer = visitor.ask("POST", "api/reviews", said)
    assert json.loads(answer) == {"clips": said["ids"]}
    wait_until(lambda: visitor.get("api/events")["events"][0]["clip"], TIMEOUT)
    (review,) = read_reviews(state_folder / "reviews-attic.jsonl").reviews
    assert [review.clip] == list((tmp_path / "clips").iterdir())


def test_no_clip_is_written_when_a_review_is_taken_back(discreet, tmp_path):
    visitor = Visitor(discreet).log_in()
    discreet.hall.pour(np.concatenate([silence(1), tone("Hum", 1), silence(8)]))
    said = {"ids": [over(visitor)], "verdict": "undone"}
    _, _, answer = visitor.ask("POST", "api/reviews", said)
    assert json.loads(answer) == {"clips": []}


def test_without_clips_a_review_writes_no_sound(house, visitor, event):
    _, _, answer = visitor.ask("POST", "api/reviews", {"ids": [event["id"]], "verdict": "wrong"})
    assert json.loads(answer) == {"clips": []}


@pytest.mark.parametrize("identifier", ["", "0" * 32, "../c.yaml", "*", "%2e%2e%2fc.yaml"])
def test_no_other_file_is_a_clip(build, tmp_path, identifier):
    house = build(clips={"folder": str(tmp_path / "clips")})
    assert Visitor(house).log_in().ask("GET", f"api/clip?id={identifier}")[0] == 404


def test_warnings_of_the_log_are_told_without_paths(house, visitor):
    import logging

    logging.getLogger("ast_edge.tests").warning("%s: is damaged", "/home/me/private")
    logging.getLogger("ast_edge.tests").warning("%s: is damaged", "/home/me/private")
    (line,) = visitor.get("api/log")["lines"]
    assert (line["message"], line["times"], line["level"]) == ("…: is damaged", 2, "warning")
