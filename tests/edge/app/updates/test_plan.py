import json
import shutil
from dataclasses import replace

import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.hub.updates import make_bundle

from ast_edge.app.plan import load_plan
from ast_edge.app.updates.start import open_plan
from ast_edge.base.errors import ConfigError
from ast_edge.fleet.pointer import Pointer
from ast_edge.fleet.record import Record, Shelf

POINTER = Pointer(1, "https://h/other", "ab" * 32, 10)


@pytest.fixture
def load(tmp_path, tiny_model, other_model):
    """Load a plan for "bands", for which "other" stands in."""

    def load(record=None, **changes):
        shelf = Shelf("attic")
        if not shelf.bundle(POINTER).exists():
            shutil.copytree(other_model, shelf.bundle(POINTER))
        shelf.write(record or Record(str(tiny_model), POINTER))
        tree = {"node": "attic", "bundle": str(tiny_model), "updates": "https://h/"}
        tree |= {"sources": {"hall": {"microphone": "default"}}, "engine": {"name": "openvino"}}
        (tmp_path / "mic.yaml").write_text(json.dumps(tree | changes))
        return load_plan(tmp_path / "mic.yaml")

    return load


def names(plan):
    return [bundle.name for bundle in plan.bundles]


def test_a_bundle_of_an_update_stands_in_for_the_configurations(load):
    plan = load()
    assert names(plan) == ["other"]
    assert plan.update == POINTER


def test_what_the_configuration_says_is_known_all_the_same(load, tiny_model):
    assert load().asked.bundle == str(tiny_model)


def test_where_updates_are_off_none_stands_in(load):
    assert names(load(updates=None)) == ["bands"]


def test_where_the_configuration_names_another_bundle_none_stands_in(load, other_model):
    assert load(bundle=str(other_model)).update is None


def test_a_source_with_a_bundle_of_its_own_keeps_it(load, tiny_model):
    sources = {
        "hall": {"microphone": "default"},
        "bath": {"stdin": "s16le", "sample_rate": 16000, "bundle": str(tiny_model)},
    }
    hearings = load(sources=sources).hearings
    assert {name: h.bundle.name for name, h in hearings.items()} == {
        "hall": "other",
        "bath": "bands",
    }


def test_a_damaged_update_gives_way_to_the_configuration(load, caplog):
    load()
    (Shelf("attic").bundle(POINTER) / "model.onnx").write_bytes(b"damaged")
    plan = load()
    assert names(plan) == ["bands"]
    assert plan.update is None
    assert "is used in its place" in caplog.text


def test_labels_that_an_update_lacks_are_an_error_as_ever(load):
    with pytest.raises(ConfigError, match=r"labels\.Hiss"):
        load(labels=["Hiss", "Hum"])


def test_labels_that_may_go_are_done_without(load, tiny_model):
    record = Record(str(tiny_model), replace(POINTER, drop_labels=True))
    plan = load(record, labels=["Hiss", "Hum"])
    assert [label.name for label in plan.reported] == ["Hum"]


def test_a_process_that_ended_while_a_bundle_was_new_begins_without_it(load, tiny_model, tmp_path):
    load(Record(str(tiny_model), POINTER, probation="running"))
    plan, engines = open_plan(lambda: load_plan(tmp_path / "mic.yaml"))
    engines.close()
    assert names(plan) == ["bands"]
    assert Shelf("attic").read().current is None


def test_a_bundle_that_no_engine_runs_any_more_goes(load, tmp_path):
    odd = make_bundle(tmp_path / "odd", "odd", squash="Identity")
    shelf = Shelf("attic")
    shutil.copytree(odd, shelf.bundle(POINTER))
    load()
    plan, engines = open_plan(lambda: load_plan(tmp_path / "mic.yaml"))
    engines.close()
    assert names(plan) == ["bands"]
    assert shelf.read().settled[POINTER.digest].state == "rolled_back"
