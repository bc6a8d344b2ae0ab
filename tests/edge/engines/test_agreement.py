import json
from pathlib import Path

import numpy as np
import pytest
from rigs.full_disk import files_end_at

from ast_edge.base.errors import EngineError
from ast_edge.engines import agreement
from ast_edge.engines.agreement import (
    Agreement,
    compare,
    largest_difference,
    remembered,
    shipped_recording,
    shipped_windows,
)
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Scores
from ast_edge.frontend.fbank import LOG_FLOOR, FbankSpec
from ast_edge.model.bundle import load_bundle

FOUND = Agreement("ONNX Runtime", 6, 1e-3, 1e-2)


def scores(clip, frame=None):
    return Scores(np.float32([clip]), None if frame is None else np.float32([[frame]]))


def test_windows_are_of_real_sound():
    windows = shipped_windows(FbankSpec(), 400)
    assert (windows.shape, windows.dtype) == ((6, 400, 128), np.float32)
    assert all(window.max() > LOG_FLOOR + 5 for window in windows)


def test_a_window_longer_than_the_recording_is_filled():
    assert shipped_windows(FbankSpec(), 10_000).shape[1:] == (10_000, 128)


def test_without_the_recording_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(agreement, "shipped_recording", lambda: tmp_path / "missing.ogg")
    with pytest.raises(EngineError, match="no recording to compare engines on"):
        shipped_windows(FbankSpec(), 100)


def test_the_recording_is_part_of_what_is_installed():
    root = Path(__file__).parents[3]
    project = (root / "pyproject.toml").read_text()
    assert '"configs/demo/home.ogg" = "ast_edge/recordings/home.ogg"' in project
    assert shipped_recording().samefile(root / "configs/demo/home.ogg")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (scores([0.5, 0.25]), 0.25),
        (scores([0.5, 0.5], [0.5, 1.0]), 0.5),
        (scores([0.5, np.nan]), None),
        (scores([0.5, 0.5], [np.inf, 0.5]), None),
    ],
)
def test_the_largest_difference_is_that_of_clips_and_steps(found, expected):
    assert largest_difference(scores([0.5, 0.5], [0.5, 0.5]), found) == expected


@pytest.mark.parametrize(("largest", "holds"), [(1e-2, True), (1.1e-2, False), (None, False)])
def test_it_holds_up_to_its_limit(largest, holds):
    assert Agreement("x", 6, largest, 1e-2).holds == holds


def test_engines_of_one_graph_agree(tiny_model):
    bundle = load_bundle(tiny_model)
    engine = open_engine(bundle, EngineConfig(name="openvino", precision="fp32"))
    found = compare(engine, bundle, 1e-4)
    assert found.holds
    assert 0 < found.windows <= 6
    assert "differs by" in str(found)
    engine.close()


def test_without_onnx_runtime_the_reference_is_openvino(tiny_model, monkeypatch):
    monkeypatch.setattr(agreement, "find_spec", lambda name: None)
    engine = agreement.open_reference(load_bundle(tiny_model))
    assert (engine.name, engine.precision) == ("openvino", "fp32")
    engine.close()


def test_what_was_measured_is_remembered(tmp_path):
    assert remembered(tmp_path / "a" / "b.json", lambda: FOUND) == FOUND
    assert remembered(tmp_path / "a" / "b.json", lambda: pytest.fail("measured again")) == FOUND


@pytest.mark.parametrize("content", ["", "[]", '{"largest": "x"}', json.dumps({"limit": 1})])
def test_what_cannot_be_read_is_measured_again(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    assert remembered(tmp_path / "a.json", lambda: FOUND) == FOUND
    assert remembered(tmp_path / "a.json", lambda: pytest.fail("measured again")) == FOUND


def test_without_space_it_is_measured_all_the_same(tmp_path, caplog):
    with files_end_at(0):
        assert remembered(tmp_path / "a.json", lambda: FOUND) == FOUND
    assert "measured again at the next start" in caplog.text
