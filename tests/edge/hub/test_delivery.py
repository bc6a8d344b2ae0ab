"""Published models become bundles, whose scores are those of transformers."""

import json

import numpy as np
import pytest
from rigs.hub.server import COMMIT, REPOSITORY

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")
import onnx
from onnx import helper
from rigs import exported, model
from rigs.hub import published as tiny_ast

from ast_edge.base.errors import AstError, BundleError, ConfigError, EngineError
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.trt.half_bundle import half_bundle
from ast_edge.hub.delivery import Wish
from ast_edge.model.bundle import find_bundle, load_bundle
from ast_edge.model.installed import bundle_folders, installed_bundles

FP32 = EngineConfig(name="openvino", precision="fp32")
LIMITS = {"fp32": 1e-5, "fp16": 2e-3, "int8": 5e-2}
"""On the difference in probability."""


@pytest.fixture
def published(hub):
    """A hub that has a tiny AST of transformers."""
    hub.files.update(tiny_ast.files())
    return hub


def windows(count=3):
    shape = (count, tiny_ast.FRAMES, tiny_ast.MEL_BINS)
    return np.random.default_rng(0).normal(-6, 4, shape).astype(np.float32)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_scores_are_the_sigmoids_of_the_logits_of_transformers(get, precision, name):
    bundle = get(precision=precision)
    config = FP32 if name == "openvino" else EngineConfig(name=name)
    engine = open_engine(bundle, config)
    found = engine.run(windows())
    engine.close()
    expected = tiny_ast.probabilities(windows())
    assert np.ptp(expected) > 0.2
    assert found.clip == pytest.approx(expected, abs=LIMITS[precision])
    assert found.frame is None


def test_a_published_graph_can_be_computed_in_fp16(get, tmp_path):
    bundle = get()
    half, report = half_bundle(bundle, tmp_path / "half")
    assert report.difference < 2e-3
    engine = open_engine(half, FP32)
    found = engine.run(windows())
    engine.close()
    assert found.clip == pytest.approx(tiny_ast.probabilities(windows()), abs=LIMITS["fp16"])


def test_a_bundle_is_found_by_its_name(get):
    assert get().folder == find_bundle("mine") == bundle_folders()[0] / "mine"
    assert installed_bundles() == {"mine": bundle_folders()[0] / "mine"}


def test_labels_of_audioset_get_their_ids(get):
    labels = {label.name: label.mid for label in get().labels}
    assert tuple(labels) == exported.LABELS
    assert labels["Dog"] == "/m/0bt9lr"
    assert labels["The neighbour's drum kit"] == ""


def test_the_bundle_says_what_is_left_to_ast_edge(get):
    tree = json.loads((get().folder / "bundle.json").read_text())
    assert tree["format"] == 3
    assert tree["graph"] == {
        "input": "input_values",
        "clip": "logits",
        "takes": "float32",
        "normalises": False,
        "activates": False,
    }
    assert (tree["members"][0]["mean"], tree["members"][0]["std"]) == (-5.0, 4.0)
    assert tree["calibration"].startswith("none")
    assert tree["licence"] == "bsd-3-clause"
    assert tree["provenance"]["from"] == f"hf:{REPOSITORY}@{COMMIT}, onnx/model.onnx"
    assert tree["provenance"]["checked against"] == "the sum that the hub states"


def test_the_graph_is_the_published_file(get, hub):
    assert get().onnx.read_bytes() == hub.files["onnx/model.onnx"]


def test_the_card_claims_nothing_that_was_not_published(get):
    card = (get().folder / "MODEL_CARD.md").read_text()
    assert "Published quality | not known; not measured here" in card
    assert "tuned for none" in card


def test_a_model_of_one_sound_at_a_time_has_a_softmax(get):
    bundle = get(problem_type="single_label_classification")
    engine = open_engine(bundle, FP32)
    assert engine.run(windows()).clip.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    engine.close()


def test_what_the_extractor_does_not_normalise_is_not(get, hub):
    extractor = json.loads(hub.files["preprocessor_config.json"]) | {"do_normalize": False}
    hub.files["preprocessor_config.json"] = json.dumps(extractor).encode()
    engine = open_engine(get(), FP32)
    scores = engine.run(windows()).clip
    engine.close()
    as_if_undone = windows() * 2 * exported.STD + exported.MEAN
    assert scores == pytest.approx(tiny_ast.probabilities(as_if_undone), abs=1e-5)


def test_a_graph_that_ends_in_its_own_sigmoid_gets_no_second_one(get, change_graph):
    def add_sigmoid(graph):
        graph.graph.node.append(helper.make_node("Sigmoid", ["logits"], ["scores"]))
        graph.graph.output[0].name = "scores"

    change_graph(add_sigmoid)
    engine = open_engine(get(), FP32)
    scores = engine.run(windows()).clip
    engine.close()
    assert scores == pytest.approx(tiny_ast.probabilities(windows()), abs=1e-5)


def test_windows_of_any_length_are_fixed_to_those_of_the_configuration(get, change_graph):
    def free(graph):
        for size, name in zip(
            graph.graph.input[0].type.tensor_type.shape.dim[1:], "tm", strict=True
        ):
            size.dim_param = name

    change_graph(free)
    engine = open_engine(get(), FP32)
    assert engine.run(windows()).clip == pytest.approx(tiny_ast.probabilities(windows()), abs=1e-5)
    with pytest.raises(EngineError, match="refused windows"):
        engine.run(windows()[:, :32])
    engine.close()


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_an_input_in_half_precision_is_fed_in_it(get, hub, name):
    from onnxruntime.transformers.float16 import convert_float_to_float16

    graph = onnx.load_from_string(hub.files["onnx/model.onnx"])
    hub.files["onnx/model_fp16.onnx"] = convert_float_to_float16(graph).SerializeToString()
    bundle = get(precision="fp16")
    assert bundle.graph.takes == "float16"
    engine = open_engine(bundle, FP32 if name == "openvino" else EngineConfig(name=name))
    scores = engine.run(windows()).clip
    engine.close()
    assert scores.dtype == np.float32
    assert scores == pytest.approx(tiny_ast.probabilities(windows()), abs=LIMITS["fp16"])


def test_weights_beside_the_graph_come_with_it(get, change_graph, hub, tmp_path):
    graph = onnx.load_from_string(hub.files["onnx/model.onnx"])
    onnx.save(
        graph,
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="model.onnx_data",
        size_threshold=0,
    )
    hub.files["onnx/model.onnx"] = (tmp_path / "m.onnx").read_bytes()
    hub.files["onnx/model.onnx_data"] = (tmp_path / "model.onnx_data").read_bytes()
    engine = open_engine(get(), FP32)
    assert engine.run(windows()).clip == pytest.approx(tiny_ast.probabilities(windows()), abs=1e-5)
    engine.close()


def test_a_folder_is_taken_as_it_is_and_left_alone(get, hub, tmp_path):
    folder = tmp_path / "exported"
    (folder / "onnx").mkdir(parents=True)
    for path, content in hub.files.items():
        (folder / path).write_bytes(content)
    bundle = get(origin=str(folder))
    (folder / "onnx/model.onnx").write_bytes(b"changed in place")
    assert load_bundle(bundle.folder).labels == bundle.labels


def test_a_folder_of_optimum_has_its_graph_at_the_top(get, hub, tmp_path):
    hub.files["model.onnx"] = hub.files.pop("onnx/model.onnx")
    assert get().labels


def test_a_web_folder_is_taken(get, hub):
    assert get(origin=f"{hub.url}/").name == "mine"


def test_a_bundle_of_ours_is_installed_under_a_new_name(get, hub, tmp_path):
    folder = model.write_bundle(tmp_path / "bands", frame=True)
    hub.files.clear()
    hub.files.update({path.name: path.read_bytes() for path in folder.iterdir()})
    bundle = get("ours")
    assert (bundle.name, bundle.frame) == ("ours", "head")
    assert [label.name for label in bundle.labels] == list(model.LABELS)


def test_a_bundle_of_ours_is_damaged_if_a_file_is_another(get, hub, tmp_path):
    folder = model.write_bundle(tmp_path / "bands")
    hub.files.clear()
    hub.files.update({path.name: path.read_bytes() for path in folder.iterdir()})
    hub.files["model.onnx"] += b" "
    with pytest.raises(BundleError, match="is not what was promised"):
        get("ours")


@pytest.mark.parametrize("name", ["..", "../up", "", ".hidden", "a/b", "bundle.json"])
def test_a_bundle_of_ours_that_names_files_outside_is_refused(get, hub, tmp_path, name):
    folder = model.write_bundle(tmp_path / "bands")
    tree = json.loads((folder / "bundle.json").read_text())
    tree["files"][name] = "0" * 64
    hub.files.clear()
    hub.files["bundle.json"] = json.dumps(tree).encode()
    with pytest.raises(BundleError, match="names a file outside the folder"):
        get("ours")


def test_a_repository_of_something_else_is_refused(get, hub):
    hub.files.clear()
    with pytest.raises(BundleError, match="found neither"):
        get()


def test_a_precision_that_is_not_published_is_refused(get, hub):
    del hub.files["onnx/model_fp16.onnx"]
    with pytest.raises(BundleError, match="has no graph in fp16"):
        get(precision="fp16")


def test_a_graph_that_is_none_is_refused(get, hub):
    hub.files["onnx/model.onnx"] = b"<html>"
    with pytest.raises(BundleError, match="expected an ONNX graph"):
        get()


def not_a_number(graph):
    for tensor in graph.graph.initializer:
        if tensor.name.endswith("classifier.dense.bias"):
            tensor.raw_data = np.full(5, np.nan, np.float32).tobytes()
            return
    raise AssertionError("no bias")


def test_the_older_bundle_stays_when_the_new_one_does_not_fit(get, hub, change_graph):
    before = get()
    change_graph(not_a_number)
    with pytest.raises(AstError):
        get(origin=f"{hub.url}/")  # of the commit, the cache has the older one
    assert load_bundle(before.folder).sha256 == before.sha256


def test_a_new_bundle_replaces_the_older_one(get):
    get(precision="fp32")
    assert get(precision="int8").precision == "int8"
    assert load_bundle(find_bundle("mine")).precision == "int8"


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "home", "a b"])
def test_a_name_that_cannot_be_is_refused(name):
    with pytest.raises(ConfigError, match="--name"):
        Wish(name)


def test_a_sum_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="--sha256: expected 64"):
        Wish("mine", sha256="abc")
