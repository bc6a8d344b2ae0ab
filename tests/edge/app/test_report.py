import dataclasses
import json
from collections.abc import Mapping

import numpy as np
import pytest

from ast_edge.app.plan import load_plan
from ast_edge.app.reload import Reload
from ast_edge.app.report import make_report
from ast_edge.app.service import Service
from ast_edge.audio.stream import Block, Stream

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.daemon_parts import NumpyEngine

BLOCK = Block(Stream("hall", 16000, 1, 0.0, live=True), 0, np.zeros((16000, 1), np.float32))


@pytest.fixture
def reload(tmp_path, tiny_model):
    tree = {"node": "attic", "sources": {"hall": {"microphone": "x"}}, "bundle": str(tiny_model)}
    (tmp_path / "c.yaml").write_text(json.dumps(tree))
    return Reload(tmp_path / "c.yaml")


@pytest.fixture
def service(reload):
    plan = load_plan(reload.path)
    return Service(plan, {bundle.folder: NumpyEngine() for bundle in plan.bundles})


def test_a_report_says_how_everything_was_then(service, reload):
    before = make_report(service, reload)
    service.monitor.heard(BLOCK)
    service.daemon.unusable["bands"] += 1
    service.daemon.dropped["hall"] += 1
    after = make_report(service, reload)
    said = [
        (r.sources["hall"].reading.state, r.sources["hall"].dropped, r.unusable)
        for r in (before, after)
    ]
    assert said == [("starting", 0, {"bands": 0}), ("listening", 1, {"bands": 1})]


def test_a_report_can_be_changed_by_nobody(service, reload):
    report = make_report(service, reload)
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.node = "cellar"


class Closing(Mapping):
    """Engines of which a reload closes one while they are looked through."""

    def __init__(self, engines):
        self._engines = engines

    def __iter__(self):
        return iter(self._engines)

    def __len__(self):
        return len(self._engines)

    def __getitem__(self, folder):
        raise KeyError(folder)


def test_an_engine_that_is_closed_in_that_moment_is_not_reported(service, reload):
    service.engines = Closing(service.engines)
    report = make_report(service, reload)
    assert (report.engines, report.sources["hall"].engine) == ((), None)
