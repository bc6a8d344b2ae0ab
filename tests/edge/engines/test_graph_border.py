"""What of a model is not in its graph is done before and after it, in every engine."""

from dataclasses import asdict

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
import onnx
from rigs.model import FRAMES, make_graph, make_tree, scores, step_scores, write_bundle, write_tree

from ast_edge.base.errors import BundleError
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.graph_border import GraphBorder
from ast_edge.model.bundle import load_bundle
from ast_edge.model.graph_spec import WHOLE, GraphSpec

OUTSIDE = GraphSpec("input_values", "published", "float32", normalises=False, activates=False)
MEAN, STD = -3.0, 2.0


@pytest.fixture
def outside(tmp_path):
    """Write a bundle whose graph takes normalised fbanks and gives logits."""

    def outside(spec=OUTSIDE, **changes):
        folder = tmp_path / "outside"
        folder.mkdir()
        graph = make_graph(name=spec.input, output=spec.clip, squash="Identity")
        onnx.save(graph, folder / "model.onnx")
        tree = make_tree(folder) | {"format": 3, "graph": asdict(spec)} | changes
        tree["members"][0] |= {"mean": MEAN, "std": STD}
        write_tree(folder, tree)
        return load_bundle(folder)

    return outside


def windows(count=3):
    return np.random.default_rng(0).normal(-8, 5, (count, FRAMES, 128)).astype(np.float32)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_scores_are_those_of_a_graph_that_has_all_inside(outside, name):
    pytest.importorskip(name)
    engine = open_engine(outside(), EngineConfig(name=name, precision="fp32"))
    expected = scores((windows() - MEAN) / (2 * STD))
    assert engine.run(windows()).clip == pytest.approx(expected, abs=1e-5)
    engine.close()


def test_an_older_bundle_has_all_inside(tiny_model):
    assert load_bundle(tiny_model).graph == WHOLE


def test_logits_of_any_size_become_probabilities(outside):
    border = GraphBorder(outside())
    logits = np.array([[-1e4, 0.0], [1e4, np.nan]], np.float32)
    found = border.scores([logits]).clip
    assert found[:, 0].tolist() == [0, 1]
    assert found[0, 1] == 0.5
    assert np.isnan(found[1, 1])


def test_half_precision_is_fed_where_the_graph_takes_it(outside):
    border = GraphBorder(outside(GraphSpec("x", "y", "float16", activates=False)))
    assert border.feed(windows()).dtype == np.float16


def test_what_is_left_to_us_must_be_said(outside):
    folder = outside().folder
    write_tree(folder, make_tree(folder) | {"format": 3})
    with pytest.raises(BundleError, match="lacks 'graph'"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ({"takes": "int64"}, "graph.takes"),
        ({"normalises": "perhaps"}, "graph.normalises"),
        ({"more": 1}, "unknown setting 'more'"),
        ({"input": ""}, "expected the name of an input"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused(outside, graph, message):
    with pytest.raises(BundleError, match=message):
        outside(graph=asdict(OUTSIDE) | graph)


@pytest.fixture
def in_steps(tmp_path):
    """A folder whose graph gives logits of windows and steps, and what bundle.json says of it."""
    names = {"name": OUTSIDE.input, "output": OUTSIDE.clip}
    folder = write_bundle(tmp_path / "steps", frame=True, squash="Identity", **names)
    tree = make_tree(folder, frame=True) | {"format": 3, "graph": asdict(OUTSIDE)}
    tree["members"][0] |= {"mean": MEAN, "std": STD}
    write_tree(folder, tree)
    return folder, tree


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_scores_of_steps_are_made_of_logits_as_well(in_steps, name):
    pytest.importorskip(name)
    engine = open_engine(load_bundle(in_steps[0]), EngineConfig(name=name, precision="fp32"))
    expected = step_scores((windows() - MEAN) / (2 * STD))
    assert engine.run(windows()).frame == pytest.approx(expected, abs=1e-5)
    engine.close()


def test_what_is_left_to_us_is_that_of_one_member(in_steps):
    folder, tree = in_steps
    write_tree(folder, tree | {"members": 2 * tree["members"]})
    with pytest.raises(BundleError, match="expected one member, for its graph leaves a part"):
        load_bundle(folder)
