"""The logic around a TensorRT engine, on a fake GPU: batches, buffers, graphs."""

import logging

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.gpu.fake_cuda import FakeCuda, FakeEngine, FakeTensorRT
from rigs.model import FRAMES, scores, step_scores

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt.execution import Execution, load_engine

MAX_BATCH = 4


def windows(batch):
    return np.random.default_rng(batch).normal(-8, 4, (batch, FRAMES, 128)).astype(np.float32)


def make(graphs=True, rtx=False, frame=False, **kind):
    cuda = FakeCuda(**kind)
    engine = FakeEngine(cuda, MAX_BATCH, frame=frame)
    loaded = load_engine(FakeTensorRT(engine, rtx=rtx).library(), b"plan")
    return Execution(loaded, cuda, graphs=graphs), engine, cuda


every_gpu = pytest.mark.parametrize(
    "kind",
    [
        {},
        {"integrated": True},
        {"graphs": False},
        {"has_graphs": False, "integrated": True},
        {"rtx": True},
    ],
    ids=str,
)


@every_gpu
@pytest.mark.parametrize("batch", range(1, 3 * MAX_BATCH))
def test_every_batch_is_scored_as_the_graph_says(kind, batch):
    execution, _, _ = make(**kind)
    assert execution.run(windows(batch))["clip"] == pytest.approx(scores(windows(batch)), abs=1e-6)


@every_gpu
def test_sizes_of_batches_may_alternate(kind):
    execution, _, _ = make(**kind)
    for batch in (1, 3, 1, 4, 3, 1):
        assert execution.run(windows(batch))["clip"] == pytest.approx(
            scores(windows(batch)), abs=1e-6
        )


@every_gpu
def test_scores_stay_what_they_are_when_the_engine_runs_again(kind):
    execution, _, _ = make(**kind)
    clip = execution.run(windows(2))["clip"]
    kept = clip.copy()
    execution.run(windows(2) + 5)
    assert np.array_equal(clip, kept)


@every_gpu
def test_frame_scores_come_with_those_of_the_clip(kind):
    execution, _, _ = make(frame=True, **kind)
    for batch in (1, 2 * MAX_BATCH + 1, 3):
        found = execution.run(windows(batch))
        assert found["clip"] == pytest.approx(scores(windows(batch)), abs=1e-6)
        assert found["frame"] == pytest.approx(step_scores(windows(batch)), abs=1e-6)


def test_more_windows_than_the_profile_holds_are_run_in_several_batches():
    execution, engine, _ = make(graphs=False)
    execution.run(windows(2 * MAX_BATCH + 1))
    assert engine.batches == [MAX_BATCH, MAX_BATCH, 1]


def test_a_size_of_batch_is_prepared_once():
    execution, engine, cuda = make()
    for batch in (1, 2, 1, 2, 1):
        execution.run(windows(batch))
    assert (engine.contexts, cuda.captures) == (2, 2)


def test_every_run_launches_the_graph():
    execution, _, cuda = make()
    for _ in range(3):
        execution.run(windows(1))
    assert cuda.launches == 3


def test_without_graphs_nothing_is_captured():
    execution, _, cuda = make(graphs=False)
    execution.run(windows(1))
    assert (cuda.captures, cuda.launches) == (0, 0)


def test_graphs_are_left_to_tensorrt_rtx():
    execution, engine, cuda = make(rtx=True)
    execution.run(windows(1))
    assert (cuda.captures, engine.graph_strategies) == (0, ["whole graph"])


def test_tensorrt_rtx_makes_no_graphs_where_none_are_wanted():
    execution, engine, _ = make(rtx=True, graphs=False)
    execution.run(windows(1))
    assert engine.graph_strategies == ["disabled"]


def test_memory_that_host_and_gpu_share_is_not_copied():
    execution, _, cuda = make(integrated=True)
    execution.run(windows(3))
    assert cuda.copies == 0


def test_only_the_windows_of_the_batch_are_copied(monkeypatch):
    execution, _, cuda = make(graphs=False)
    copied = []
    monkeypatch.setattr(cuda, "upload", lambda address, array: copied.append(array.shape))
    execution.run(windows(3))
    assert copied == [(3, FRAMES, 128)]


def test_when_a_graph_cannot_be_captured_it_goes_on_without(monkeypatch, caplog):
    def refuse(enqueue):
        raise EngineError("cudaStreamEndCapture failed")

    execution, _, cuda = make()
    monkeypatch.setattr(cuda, "capture", refuse)
    with caplog.at_level(logging.INFO, "ast_edge"):
        clip = execution.run(windows(2))["clip"]
    assert clip == pytest.approx(scores(windows(2)), abs=1e-6)
    assert caplog.messages == [
        "no CUDA graph for batches of 2 windows: cudaStreamEndCapture failed"
    ]


def test_a_run_that_fails_is_an_error():
    execution, engine, _ = make()
    engine.broken = True
    with pytest.raises(EngineError, match="could not run a batch of 2 windows"):
        execution.run(windows(2))


def test_a_batch_that_failed_is_prepared_again():
    execution, engine, _ = make()
    engine.broken = True
    with pytest.raises(EngineError):
        execution.run(windows(2))
    engine.broken = False
    assert execution.run(windows(2))["clip"] == pytest.approx(scores(windows(2)), abs=1e-6)


def test_an_engine_that_makes_no_context_is_an_error(monkeypatch):
    execution, engine, _ = make()
    monkeypatch.setattr(engine, "create_execution_context", lambda *_: None)
    with pytest.raises(EngineError, match="could not make a context"):
        execution.run(windows(1))


def test_an_engine_that_the_library_cannot_read_is_an_error():
    library = FakeTensorRT(FakeEngine(FakeCuda())).library()
    with pytest.raises(EngineError, match=r"tensorrt 10\.3\.0 cannot read the engine"):
        load_engine(library, b"unreadable")
