import json

import pytest

pytest.importorskip("onnx", reason="onnx is not installed")

from ast_edge.app.config import Config
from ast_edge.app.updates.fitting import fit
from ast_edge.base.errors import ConfigError
from ast_edge.model.bundle import load_bundle


@pytest.fixture
def fitted(other_model):
    """Fit a configuration to a bundle that hears Buzz and Hum."""

    def fitted(**tree):
        sources = {"hall": {"microphone": "default"}}
        config = Config.model_validate({"sources": sources} | tree)
        return fit(config, [load_bundle(other_model)])

    return fitted


def test_where_nothing_is_named_nothing_is_gone(fitted):
    assert fitted().gone == ()


def test_labels_that_are_there_stay_as_they_are(fitted):
    found = fitted(labels={"Hum": {"on": 0.9}, "buzz": None})
    assert found.gone == ()
    assert found.config.labels["Hum"].on == 0.9


def test_a_label_that_is_gone_is_named(fitted):
    found = fitted(labels={"Hum": None, "Hiss": {"on": 0.9}})
    assert found.gone == ("labels.Hiss",)
    assert list(found.config.labels) == ["Hum"]


def test_a_group_keeps_the_members_that_are_there(fitted):
    found = fitted(groups={"Any": ["Hum", "Hiss"]})
    assert found.gone == ("groups.Any (Hiss)",)
    assert found.config.groups["Any"].members == ["Hum"]


@pytest.mark.parametrize(
    "group", [{"members": ["Hiss"]}, {"members": ["Hum", "Hiss"], "score": "min"}, "ontology"]
)
def test_a_group_that_cannot_be_any_more_is_gone(fitted, group):
    name = "Dog" if group == "ontology" else "Any"
    found = fitted(labels=["Hum"], groups={name: group})
    assert f"groups.{name}" in found.gone
    assert not found.config.groups


def test_what_suppresses_and_is_gone_suppresses_no_more(fitted):
    found = fitted(labels={"Hum": {"suppress_while": ["Hiss", "Buzz"]}})
    assert found.gone == ("labels.Hum.suppress_while (Hiss)",)
    assert found.config.labels["Hum"].suppress_while == ["Buzz"]


def test_a_group_that_is_gone_suppresses_no_more(fitted):
    found = fitted(labels={"Hum": {"suppress_while": ["Any"]}}, groups={"Any": ["Hiss"]})
    assert "labels.Hum.suppress_while (Any)" in found.gone


def test_clips_of_what_is_gone_are_kept_no_more(fitted):
    clips = {"folder": "/clips", "labels": ["Hum", "Hiss"]}
    found = fitted(clips=clips)
    assert found.gone == ("clips.labels (Hiss)",)
    assert found.config.clips.labels == ["Hum"]


def test_clips_of_nothing_but_what_is_gone_are_none_and_not_all(fitted):
    assert fitted(clips={"folder": "/clips", "labels": ["Hiss"]}).config.clips is None


def test_device_classes_of_what_is_gone_go(fitted):
    classes = {"Hum": "safety", "Hiss": "safety"}
    found = fitted(mqtt={"home_assistant": {"device_classes": classes}})
    assert found.gone == ("mqtt.home_assistant.device_classes.Hiss",)


@pytest.mark.parametrize("tree", [{"labels": ["Hiss"]}, {"groups": {"Any": ["Hiss"]}}])
def test_where_nothing_is_left_not_everything_is_reported_instead(fitted, tree):
    with pytest.raises(ConfigError, match="nothing is left"):
        fitted(**json.loads(json.dumps(tree)))
