import json

import numpy as np
import pytest

from ast_edge.app.plan import load_plan
from ast_edge.app.reload import Reload, Reloaded
from ast_edge.app.report import make_report
from ast_edge.app.service import Service
from ast_edge.app.status_document import status_bytes
from ast_edge.audio.health import Health
from ast_edge.audio.stream import Block, Stream
from ast_edge.detection.event import Event

STREAM = Stream("hall", 16000, 1, 0.0, live=True)


class Engine:
    name = "numpy"
    description = "NumPy, 1 thread"


@pytest.fixture
def own():
    """More sources."""
    return {}


@pytest.fixture
def service(tmp_path, tiny_model, own):
    sources = {"hall": {"microphone": "x"}, **own}
    tree = {"node": "attic", "sources": sources, "bundle": str(tiny_model)}
    (tmp_path / "c.yaml").write_text(json.dumps(tree))
    plan = load_plan(tmp_path / "c.yaml")
    return Service(plan, {bundle.folder: Engine() for bundle in plan.bundles})


@pytest.fixture
def read(service, tmp_path):
    reload = Reload(tmp_path / "c.yaml")

    def read(newest=None):
        reload.newest = newest
        return json.loads(status_bytes(make_report(service, reload)))

    return read


def test_a_daemon_that_has_just_begun_says_all_it_knows(read, tmp_path):
    found = read()
    assert (found["schema"], found["node"], found["bundle"]) == (1, "attic", "bands")
    assert found["config"] == str(tmp_path / "c.yaml")
    assert found["engine"] == "NumPy, 1 thread"
    assert (found["reload"], found["broker"], found["events"]) == (None, None, [])
    assert found["sources"]["hall"]["state"] == "starting"
    assert found["sources"]["hall"]["hop"] == 0.5


def test_sources_and_events_are_as_they_were_last(service, read):
    service.monitor.heard(Block(STREAM, 0, np.tile(np.float32([[0.5], [-0.5]]), (8000, 1))))
    service.monitor.health("hall", Health("clipping", "it is too loud"))
    hum = service.plan.bundles[0].labels[0]
    service.monitor.publish(Event("1", "start", "hall", hum, 0.0, 1.0, 0.9, 0.9, "home"))
    service.daemon.dropped["hall"] = 2
    found = read()
    hall = found["sources"]["hall"]
    assert (hall["state"], hall["detail"]) == ("clipping", "it is too loud")
    assert hall["level"] == {"rms": -6.0, "peak": -6.0}
    assert (hall["audio_seconds"], hall["dropped_windows"], hall["events"]) == (1.0, 2, 1)
    assert [event["slug"] for event in found["events"]] == ["hum"]


@pytest.mark.parametrize("refusal", ["", "c.yaml: hop: too long"])
def test_the_newest_reload_is_told_with_what_was_wrong(read, refusal):
    found = read(Reloaded(0.0, refusal))["reload"]
    assert found == {"time": "1970-01-01T00:00:00.000Z", "refusal": refusal or None}


def test_a_source_that_a_reload_has_just_added_or_removed_breaks_nothing(service, read):
    service.monitor.follow({"cellar": "bands"})
    assert read()["sources"]["cellar"]["hop"] is None


class TestTwoBundles:
    @pytest.fixture
    def own(self, other_model):
        return {"door": {"microphone": "y", "bundle": str(other_model)}}

    def test_each_source_says_its_bundle_and_engine(self, read):
        found = read()
        assert found["bundle"] == "bands, other"
        bundles = {name: source["bundle"] for name, source in found["sources"].items()}
        assert bundles == {"hall": "bands", "door": "other"}
        assert {source["engine"] for source in found["sources"].values()} == {"NumPy, 1 thread"}
