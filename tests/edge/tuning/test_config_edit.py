import pytest
import yaml

from ast_edge.app.config import load_config
from ast_edge.base.errors import ConfigError
from ast_edge.tuning.config_edit import Thresholds, edit_thresholds, put_record

NEW = Thresholds(0.75, 0.3)
HEAD = "sources: {kitchen: {microphone: default}} # mine\n"


def edit(text, **labels):
    return edit_thresholds(text, {"labels": labels})


def test_numbers_that_are_there_are_replaced_and_nothing_else():
    text = HEAD + "labels:\n  Dog: # loud\n    off: 0.1 # low\n    hold: 2\n    on: 0.5 # high\n"
    expected = text.replace("0.1", "0.3").replace("0.5", "0.75")
    assert edit(text, Dog=NEW) == expected


def test_numbers_that_are_missing_are_put_beside_the_others():
    text = HEAD + "labels:\n  Dog:\n    # for naps\n    hold: 2\n  Cat: {hold: 1}\n"
    assert edit(text, Dog=NEW, Cat=NEW) == HEAD + (
        "labels:\n  Dog:\n    # for naps\n    on: 0.75\n    off: 0.3\n    hold: 2\n"
        "  Cat: {hold: 1, on: 0.75, off: 0.3}\n"
    )


@pytest.mark.parametrize("empty", ["", " null", " ~", " {}"])
def test_a_label_without_settings_gets_some(empty):
    text = f"{HEAD}labels:\n  Dog:{empty} # a comment\n  Cat: null\n"
    edited = edit(text, Dog=NEW)
    assert edited == f"{HEAD}labels:\n  Dog: {{on: 0.75, off: 0.3}} # a comment\n  Cat: null\n"


@pytest.mark.parametrize(
    "labels",
    ["[Dog, Cat] # both", "\n  - Dog # barks\n  - Cat", "\n- Dog # barks\n- Cat"],
    ids=["in brackets", "indented", "not indented"],
)
def test_a_list_of_labels_becomes_a_mapping(labels, tmp_path):
    edited = edit(f"{HEAD}labels: {labels}\nhop: 0.5 # fast\n", Dog=NEW, Cat=None)
    (tmp_path / "c.yaml").write_text(edited)
    config = load_config(tmp_path / "c.yaml")
    assert list(config.labels) == ["Dog", "Cat"]
    assert (config.labels["Dog"].on, config.labels["Dog"].off) == (0.75, 0.3)
    assert config.labels["Cat"] is None
    assert edited.count("#") == 2 + ("#" in labels)


def test_a_file_without_labels_gets_them_at_its_end():
    assert edit(HEAD, **{"Baby cry, infant cry": NEW, "Dog": None}) == HEAD + (
        "\nlabels:\n  'Baby cry, infant cry': {on: 0.75, off: 0.3}\n  Dog: null\n"
    )


def test_a_file_in_braces_stays_one():
    text = '{"sources": {"a": {"stdin": "s16le"}}}'
    edited = edit(text, Dog=NEW)
    assert yaml.compose(edited).flow_style
    assert edited.endswith('"labels": {Dog: {on: 0.75, off: 0.3}}}')


def test_a_group_gets_thresholds_beside_its_members():
    text = HEAD + "groups:\n  Any dog: {members: [Dog]}\n"
    edited = edit_thresholds(text, {"groups": {"Any dog": NEW}})
    assert edited == HEAD + "groups:\n  Any dog: {members: [Dog], on: 0.75, off: 0.3}\n"


def test_a_group_in_its_short_form_has_no_place_for_them():
    with pytest.raises(ConfigError, match=r"groups\.Alarm: is written in a short form"):
        edit_thresholds(HEAD + "groups:\n  Alarm: ontology\n", {"groups": {"Alarm": NEW}})


def test_what_would_change_something_else_is_refused():
    text = HEAD + "labels:\n  Dog: &both {on: 0.5, off: 0.1}\n  Cat: *both\n"
    with pytest.raises(ConfigError, match="anchors"):
        edit(text, Dog=NEW)


def test_the_same_thresholds_change_nothing():
    text = HEAD + "labels: {Dog: {on: 0.75, off: 0.3}}\n"
    assert edit(text, Dog=NEW) == text


def test_a_hold_is_written_where_it_is_new():
    text = HEAD + "labels:\n  Dog: {hold: 2}\n  Cat: null\n"
    edited = edit(text, Dog=Thresholds(0.75, 0.3, hold=0.25), Cat=Thresholds(0.5, 0.1))
    assert edited == HEAD + (
        "labels:\n  Dog: {hold: 0.25, on: 0.75, off: 0.3}\n  Cat: {on: 0.5, off: 0.1}\n"
    )


@pytest.mark.parametrize("text", [HEAD, HEAD + "# last", '{"sources": {"a": {"stdin": "s16le"}}}'])
def test_a_record_is_put_at_the_end_and_then_replaced(text):
    first = put_record(text, "tuned", {"labels": ["Baby cry, infant cry"], "wish": 0.5})
    second = put_record(first + "\n# mine\n", "tuned", {"labels": [], "wish": 1})
    assert yaml.safe_load(first)["tuned"] == {"labels": ["Baby cry, infant cry"], "wish": 0.5}
    assert yaml.safe_load(second)["tuned"] == {"labels": [], "wish": 1}
    assert second.endswith("\n# mine\n")
    assert put_record(second, "tuned", {"labels": [], "wish": 1}) == second


def test_a_record_that_was_written_by_hand_is_not_touched():
    with pytest.raises(ConfigError, match="remove it"):
        put_record(HEAD + "tuned:\n  wish: 1\n", "tuned", {"wish": 2})


def test_what_stands_elsewhere_is_referred_to_as_before():
    text = "sources: {a: {microphone: !secret mic}}\nnode: ${NODE}\nlabels:\n  Dog: {on: '${ON}'}\n"
    assert edit(text, Dog=NEW) == text.replace("'${ON}'", "0.75, off: 0.3")
