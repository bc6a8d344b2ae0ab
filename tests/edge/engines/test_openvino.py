"""OpenVINO on other devices than the processor, which plays them: nothing runs on a real one."""

import os
import subprocess
import sys
from threading import Event, Thread, get_native_id
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from rigs.model import FRAMES, scores

from ast_edge.base.errors import EngineError
from ast_edge.engines import openvino as module
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.openvino import OpenVinoEngine
from ast_edge.model.bundle import load_bundle

KINDS = {"GPU": "Intel(R) UHD Graphics (iGPU)", "GPU.0": "Intel(R) Arc", "NPU": "Intel(R) AI Boost"}


class Core:
    """OpenVINO with devices of our own, which the processor plays."""

    def __init__(self, core, devices):
        self._core, self.available_devices = core, ["CPU", *devices]
        self.compiled = []
        self.spoilt = set()
        """Precisions in which a device that is not the processor gives other scores."""
        self.refused = set()
        """Devices that compile nothing."""
        self.driver = "24.1"

    def read_model(self, path):
        return self._core.read_model(path)

    def get_property(self, device, name):
        if device == "CPU":
            return self._core.get_property(device, name)
        return {
            "FULL_DEVICE_NAME": KINDS[device],
            "SUPPORTED_PROPERTIES": {"FULL_DEVICE_NAME": "RO", "GPU_DRIVER_VERSION": "RO"},
            "GPU_DRIVER_VERSION": self.driver,
        }[name]

    def compile_model(self, graph, device, settings):
        if device == "CPU":
            return self._core.compile_model(graph, device, settings)
        if device in self.refused:
            raise RuntimeError("Check failed\n[GPU] clBuildProgram: out of resources")
        precision = settings.get("INFERENCE_PRECISION_HINT", "f16")
        self.compiled.append((device, precision))
        if device == "NPU":
            assert graph.inputs[0].get_partial_shape().is_static, "an NPU takes fixed shapes only"
        model = self._core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return Compiled(model, precision, 0.2 * (precision in self.spoilt))


class Compiled:
    def __init__(self, model, precision, error):
        self._model, self._precision, self._error = model, precision, error

    def input(self, name):
        return self._model.input(name)

    def output(self, name):
        return self._model.output(name)

    def get_property(self, name):
        assert name == "INFERENCE_PRECISION_HINT"
        return SimpleNamespace(get_type_name=lambda: self._precision)

    def create_infer_request(self):
        request = self._model.create_infer_request()
        return SimpleNamespace(infer=lambda fed: Spoilt(request.infer(fed), self._error))


class Spoilt:
    def __init__(self, results, error):
        self._results, self._error = results, error

    def __getitem__(self, name):
        return np.array(self._results[name]) + self._error


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def devices(monkeypatch):
    """Have these devices beside the processor."""
    core = module.shared_core()

    def have(*names):
        fake = Core(core, names)
        monkeypatch.setattr(module, "shared_core", lambda: fake)
        return fake

    return have


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


def windows(batch):
    return np.random.default_rng(batch).normal(-8, 4, (batch, FRAMES, 128)).astype(np.float32)


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]


@pytest.mark.parametrize("device", ["gpu", "auto"])
@pytest.mark.parametrize("name", ["GPU", "GPU.0"])
def test_a_gpu_that_gives_the_same_scores_computes_in_fp16(devices, bundle, caplog, name, device):
    core = devices(name)
    engine = OpenVinoEngine(bundle, EngineConfig(device=device))
    assert core.compiled == [(name, "f16")]
    assert engine.precision == "fp16"
    assert KINDS[name] in engine.description
    for batch in (1, 3):
        assert engine.run(windows(batch)).clip == pytest.approx(scores(windows(batch)), abs=1e-5)
    assert warnings(caplog) == []


def test_unless_asked_for_the_processor_computes(devices, bundle):
    core = devices("GPU", "NPU")
    assert "threads" in OpenVinoEngine(bundle, EngineConfig()).description
    assert core.compiled == []


def test_a_gpu_is_compared_on_its_first_use_only(devices, bundle, cache, monkeypatch):
    devices("GPU")
    OpenVinoEngine(bundle, EngineConfig(device="gpu"))
    (kept,) = (cache / "agreements").iterdir()
    assert "uhd_graphics" in kept.name
    monkeypatch.setattr(module, "compare", lambda *_: pytest.fail("compared again"))
    OpenVinoEngine(bundle, EngineConfig(device="gpu"))


def test_another_driver_is_compared_anew(devices, bundle, cache):
    core = devices("GPU")
    OpenVinoEngine(bundle, EngineConfig(device="gpu"))
    core.driver = "25.0"
    OpenVinoEngine(bundle, EngineConfig(device="gpu"))
    assert len(list((cache / "agreements").iterdir())) == 2


def test_a_gpu_whose_fp16_is_wrong_computes_in_fp32(devices, bundle, caplog):
    core = devices("GPU")
    core.spoilt = {"f16"}
    engine = OpenVinoEngine(bundle, EngineConfig(device="gpu"))
    assert (core.compiled[-1], engine.precision) == (("GPU", "f32"), "fp32")
    (warning,) = warnings(caplog)
    assert warning.startswith("openvino on GPU in fp16: differs by 2.0e-01 at most from ONNX Runt")


@pytest.mark.parametrize("device", ["gpu", "auto"])
def test_a_gpu_that_is_wrong_in_everything_leaves_it_to_the_processor(
    devices, bundle, caplog, device
):
    core = devices("GPU")
    core.spoilt = {"f16", "f32"}
    engine = OpenVinoEngine(bundle, EngineConfig(device=device))
    assert "threads" in engine.description
    assert [w.split(":")[0] for w in warnings(caplog)] == [
        "openvino on GPU in fp16",
        "openvino on GPU in fp32",
    ]
    assert engine.run(windows(2)).clip == pytest.approx(scores(windows(2)), abs=0.03)


def test_a_precision_that_was_asked_for_is_the_only_one_that_is_tried(devices, bundle):
    core = devices("GPU")
    core.spoilt = {"f32"}
    OpenVinoEngine(bundle, EngineConfig(device="gpu", precision="fp32"))
    assert core.compiled == [("GPU", "f32")]


def test_a_gpu_that_does_not_compile_the_graph_leaves_it_to_the_processor(devices, bundle, caplog):
    devices("GPU").refused = {"GPU"}
    assert "threads" in OpenVinoEngine(bundle, EngineConfig(device="gpu")).description
    assert "out of resources; it is not used" in warnings(caplog)[0]
    assert "\n" not in warnings(caplog)[0]


@pytest.mark.parametrize("device", ["gpu", "npu"])
def test_a_device_that_is_not_there_is_said_with_what_is(devices, bundle, caplog, device):
    devices()
    assert "threads" in OpenVinoEngine(bundle, EngineConfig(device=device)).description
    (warning,) = warnings(caplog)
    assert f"there is no {device.upper()} here, it sees CPU: install its driver" in warning


def test_auto_without_a_gpu_is_the_processor_without_a_word(devices, bundle, caplog):
    core = devices("NPU")
    assert "threads" in OpenVinoEngine(bundle, EngineConfig(device="auto")).description
    assert (core.compiled, warnings(caplog)) == ([], [])


def test_an_npu_scores_one_window_after_the_other(devices, bundle):
    core = devices("NPU")
    engine = OpenVinoEngine(bundle, EngineConfig(device="npu"))
    assert core.compiled == [("NPU", "f16")]
    assert engine.run(windows(5)).clip == pytest.approx(scores(windows(5)), abs=1e-5)
    with pytest.raises(EngineError, match="refused windows of shape"):
        engine.run(np.zeros((1, FRAMES + 1, 128), np.float32))


def test_it_leaves_the_choice_of_cores_to_the_system(bundle):
    """Else all processes with one thread would compute on the first core: workers, nodes, us."""
    engine = OpenVinoEngine(bundle, EngineConfig(threads=1))
    found, done, here = set(), Event(), get_native_id()

    def look():
        while not done.is_set():
            found.add(frozenset(os.sched_getaffinity(here)))

    looking = Thread(target=look)
    looking.start()
    for _ in range(30):
        engine.run(windows(200))
    done.set()
    looking.join()
    assert found == {frozenset(os.sched_getaffinity(0))}


@pytest.mark.parametrize("name", ["tensorrt", "onnxruntime"])
def test_another_engine_takes_no_device(name):
    with pytest.raises(ValueError, match="device: gpu is for OpenVINO"):
        EngineConfig(name=name, device="gpu")


def test_the_converter_of_other_frameworks_models_is_not_loaded():
    program = "import sys, ast_edge.engines.openvino; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert "openvino" in found.stdout.split()
    assert not [name for name in found.stdout.split() if name.startswith("openvino.tools.ovc.")]
