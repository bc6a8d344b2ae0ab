import json

import pytest

from ast_edge.base.errors import ConfigError
from ast_edge.home_assistant.app_options import AppOptions, configuration, read_options

PAGE = {"listen": "0.0.0.0:8099", "ingress": True, "changes": True}


def write(path, text):
    path.write_text(text)
    return path


def made(text, tmp_path, **options):
    return configuration(AppOptions(**options), write(tmp_path / "ast-edge.yaml", text))


def test_the_form_as_it_comes_is_a_configuration(tmp_path):
    assert configuration(AppOptions(), None) == {
        "node": "home-assistant",
        "sources": {"room": {"microphone": "default"}},
        "mqtt": {"supervisor": True},
        "web": PAGE,
    }


def test_every_option_has_its_place():
    options = AppOptions(
        name="attic",
        microphone=" usb ",
        room="hall",
        streams=[{"name": "door", "url": "rtsp://camera/1"}],
        labels=["Dog"],
        clips_days=2,
        page_changes=False,
    )
    tree = configuration(options, None)
    assert tree["sources"] == {"hall": {"microphone": "usb"}, "door": {"url": "rtsp://camera/1"}}
    assert (tree["node"], tree["labels"]) == ("attic", ["Dog"])
    assert tree["clips"] == {"folder": "/media/ast-edge", "max_age": 172800}
    assert tree["web"]["changes"] is False


def test_without_a_microphone_streams_are_enough():
    options = AppOptions(microphone="", streams=[{"name": "door", "url": "rtsp://camera/1"}])
    assert list(configuration(options, None)["sources"]) == ["door"]


def test_nothing_to_listen_to_is_a_mistake():
    with pytest.raises(ConfigError, match="neither a microphone nor a stream"):
        configuration(AppOptions(microphone=""), None)


def test_two_sources_of_one_name_are_a_mistake():
    streams = [{"name": "room", "url": "rtsp://camera/1"}]
    with pytest.raises(ConfigError, match="the name 'room' is taken"):
        configuration(AppOptions(streams=streams), None)


def test_the_users_own_file_wins(tmp_path):
    tree = made("node: cellar\nlabels: [Speech]\nhop: 1", tmp_path, name="attic", labels=["Dog"])
    assert (tree["node"], tree["labels"], tree["hop"]) == ("cellar", ["Speech"], 1)


def test_sources_of_the_users_file_take_the_place_of_the_forms(tmp_path):
    tree = made("sources: {barn: {microphone: usb}}", tmp_path, microphone="")
    assert tree["sources"] == {"barn": {"microphone": "usb"}}


def test_a_file_of_comments_changes_nothing(tmp_path):
    assert made("# nothing yet\n", tmp_path) == configuration(AppOptions(), None)


def test_a_file_that_is_no_mapping_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected a mapping of settings, got 'x'"):
        made("x", tmp_path)


def test_the_supervisor_is_asked_for_a_broker_that_the_file_does_not_name(tmp_path):
    assert made("mqtt: {base_topic: sounds}", tmp_path)["mqtt"] == {
        "supervisor": True,
        "base_topic": "sounds",
    }


@pytest.mark.parametrize("own", [{"host": "broker.lan"}, {"embedded": True}, None])
def test_a_broker_that_the_file_names_is_that_one(tmp_path, own):
    assert made(json.dumps({"mqtt": own}), tmp_path)["mqtt"] == own


@pytest.mark.parametrize("own", ["listen: 0.0.0.0:80", "ingress: false", "changes: true"])
def test_the_page_stays_behind_ingress_whatever_the_file_says(tmp_path, own):
    assert made(f"web: {{{own}}}", tmp_path)["web"] == PAGE


def test_the_page_can_be_left_out(tmp_path):
    assert made("web: false", tmp_path)["web"] is False


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is not JSON"),
        ("[]", r"expected an object, got \[\]"),
        ('{"microphone": 5}', "microphone: should be a valid string"),
        ('{"room": "a/b"}', "becomes part of topics"),
        ('{"micorphone": "usb"}', "unknown key, did you mean 'microphone'"),
        ('{"streams": [{"name": "a"}]}', "streams.0.url"),
        ('{"clips_days": 366}', "clips_days"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_line(tmp_path, text, fault):
    path = write(tmp_path / "options.json", text)
    with pytest.raises(ConfigError, match=fault) as caught:
        read_options(path)
    assert "\n" not in str(caught.value)


def test_options_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="the Supervisor writes it"):
        read_options(tmp_path / "options.json")


def test_what_the_form_leaves_empty_is_as_usual(tmp_path):
    path = write(tmp_path / "options.json", '{"microphone": null, "labels": []}')
    assert read_options(path) == AppOptions()
