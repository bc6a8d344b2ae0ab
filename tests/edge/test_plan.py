import json

import pytest

from ast_edge.bundle import load_bundle
from ast_edge.errors import BundleError, ConfigError
from ast_edge.plan import load_plan
from ast_edge.tracker import TrackerSettings


@pytest.fixture
def write(tmp_path, tiny_model):
    def write(**more):
        tree = {"sources": {"a": {"microphone": "x"}}, "bundle": str(tiny_model)} | more
        (tmp_path / "c.yaml").write_text(json.dumps(tree))
        return tmp_path / "c.yaml"

    return write


@pytest.fixture
def problem(write):
    """Return what is wrong with a configuration, without the file's name in front."""

    def problem(**more):
        path = write(**more)
        with pytest.raises(ConfigError) as caught:
            load_plan(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        return message.removeprefix(f"{path}: ")

    return problem


def test_without_labels_all_of_the_bundle_are_reported_as_it_says(write, tiny_model):
    plan = load_plan(write())
    assert plan.settings == load_bundle(tiny_model).settings
    assert plan.config.sources.keys() == {"a"}


def test_named_labels_are_reported_in_the_order_of_the_bundle(write):
    plan = load_plan(write(labels={"hiss": None, "Hum": {"cooldown": 5}}))
    assert [label.name for label in plan.settings] == ["Hum", "Hiss"]
    assert list(plan.settings.values()) == [
        TrackerSettings(hold=0.5, cooldown=5.0),
        TrackerSettings(hold=0.5),
    ]


def test_a_threshold_of_zero_is_a_threshold(write):
    plan = load_plan(write(labels={"Hum": {"off": 0}}))
    assert [settings.off for settings in plan.settings.values()] == [0.0]


def test_an_unknown_label_is_refused_with_the_nearest_one(problem):
    found = problem(labels={"Hiss!": None, "Hom": None})
    assert found == "labels.Hiss!: 'Hiss!' is not a label of 'bands', did you mean 'Hiss'?"


def test_a_label_under_two_names_is_refused(problem):
    assert problem(labels={"Hum": None, "hum": None}) == "labels.hum: 'Hum' is given twice"


def test_off_above_on_is_refused(problem):
    found = problem(labels={"Hum": {"off": 0.6}})
    assert found == "labels.Hum: expected 0 <= off <= on <= 1, got on 0.5 and off 0.6"


def test_a_hop_that_skips_sound_is_refused(problem):
    assert problem(hop=1.2) == (
        "hop: 1.2 s is longer than the 0.99 s that 'bands' hears at once, so sounds would be "
        "missed; use a shorter one"
    )


def test_an_unknown_bundle_is_refused(problem):
    assert problem(bundle="hose").startswith("bundle: no bundle 'hose': no such folder")


def test_a_bundle_that_is_damaged_is_the_fault_of_the_bundle(write, model_folder):
    (model_folder / "model.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match="is damaged"):
        load_plan(write(bundle=str(model_folder)))


@pytest.mark.parametrize("place", ["", "none/events.jsonl"])
def test_an_event_file_that_cannot_be_is_refused_before_anything_starts(tmp_path, place):
    path = tmp_path / "c.yaml"
    path.write_text(f"{{sources: {{a: {{stdin: s16le}}}}, jsonl: '{tmp_path / place}'}}")
    with pytest.raises(ConfigError, match="jsonl: expected a file in a folder that exists"):
        load_plan(path)


def test_an_empty_password_file_is_refused_before_anything_starts(tmp_path):
    (tmp_path / "password").touch()
    path = tmp_path / "c.yaml"
    path.write_text("{sources: {a: {stdin: s16le}}, mqtt: {username: a, password_file: password}}")
    with pytest.raises(ConfigError, match="must hold the password in its first line"):
        load_plan(path)
