"""The engine for NVIDIA GPUs where there is one: real TensorRT, a real GPU."""

import threading

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.gpu import hardware as gpu
from rigs.model import FRAMES, scores, step_scores, write_bundle

from ast_edge.base.errors import EngineError
from ast_edge.engines import tensorrt as tensorrt_engine
from ast_edge.engines.agreement import LIMITS
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.tensorrt import TensorRTEngine
from ast_edge.engines.trt.library import find_library
from ast_edge.model.bundle import find_bundle, load_bundle

# The full TensorRT tries its kernels when it builds an engine.
pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]


def windows(batch):
    return np.random.default_rng(batch).normal(-8, 4, (batch, FRAMES, 128)).astype(np.float32)


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


@pytest.fixture(scope="module")
def real_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(autouse=True)
def with_gpu(real_cache, monkeypatch):
    """Skip without GPU and TensorRT; keep engines from one test to the next."""
    if reason := gpu.missing():
        pytest.skip(reason)
    try:
        find_library()
    except EngineError as exc:
        pytest.skip(str(exc))
    monkeypatch.setenv("CACHE_DIRECTORY", str(real_cache))


@pytest.fixture(scope="module")
def home():
    return load_bundle(find_bundle("home"))


def home_windows(home, batch):
    shape = (batch, home.frames, home.fbank.mel_bins)
    return np.random.default_rng(batch).normal(-7, 4, shape).astype(np.float32)


def opened(bundle, **options):
    return TensorRTEngine(bundle, EngineConfig(), **options)


def test_every_batch_is_scored_as_the_graph_says(bundle):
    engine = opened(bundle)
    for batch in (*range(1, 9), 17, 3):
        clip = engine.run(windows(batch)).clip
        assert clip == pytest.approx(scores(windows(batch)), abs=1e-4), f"batch of {batch}"
    engine.close()


def test_frame_scores_come_with_those_of_the_clip(framed_model):
    engine = opened(load_bundle(framed_model))
    for batch in (1, 3, 9):
        found = engine.run(windows(batch))
        assert found.clip == pytest.approx(scores(windows(batch)), abs=1e-4)
        assert found.frame == pytest.approx(step_scores(windows(batch)), abs=1e-4)
    engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_the_default_bundle_has_the_scores_of_onnxruntime(home, precision):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    reference = open_engine(home, EngineConfig(name="onnxruntime"))
    engine = TensorRTEngine(home, EngineConfig(precision=precision))
    assert engine.precision == ("fp16" if precision == "auto" else "fp32")
    limit = LIMITS[engine.precision]
    for batch in range(1, 9):
        fbank = home_windows(home, batch)
        assert engine.run(fbank).clip == pytest.approx(reference.run(fbank).clip, abs=limit)
    engine.close()


def test_numbers_that_fp16_cannot_hold_are_computed_in_fp32(tmp_path):
    engine = opened(load_bundle(write_bundle(tmp_path, spread=32768.0)))
    assert engine.precision == "fp32"
    assert engine.run(windows(2)).clip == pytest.approx(scores(windows(2)), abs=1e-4)
    engine.close()


def test_the_same_windows_have_the_same_scores(bundle):
    engine = opened(bundle)
    first = engine.run(windows(3)).clip
    engine.run(windows(5))
    assert engine.run(windows(3)).clip == pytest.approx(first, abs=1e-6)
    engine.close()


def test_graphs_change_no_score(bundle):
    with_graphs, without = opened(bundle, graphs=True), opened(bundle, graphs=False)
    for batch in (1, 2, 8):
        for _ in range(2):  # the first run captures, the second launches
            clip = with_graphs.run(windows(batch)).clip
            assert clip == pytest.approx(without.run(windows(batch)).clip, abs=1e-6)
    with_graphs.close()
    without.close()


def test_an_engine_can_be_closed_and_opened_again(bundle):
    for _ in range(3):
        engine = opened(bundle)
        assert engine.run(windows(2)).clip == pytest.approx(scores(windows(2)), abs=1e-4)
        engine.close()


def test_the_second_start_builds_nothing(bundle, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("built again")

    opened(bundle).close()
    monkeypatch.setattr(tensorrt_engine, "build_engine", refuse)
    opened(bundle).close()


def test_another_thread_can_run_the_engine(bundle):
    engine, clips = opened(bundle), []
    thread = threading.Thread(target=lambda: clips.append(engine.run(windows(2)).clip))
    thread.start()
    thread.join(60)
    engine.close()
    assert clips[0] == pytest.approx(scores(windows(2)), abs=1e-4)
