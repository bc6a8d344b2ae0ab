import itertools
import sys

import numpy as np
import pytest
from rigs.model import FRAMES, write_bundle

from ast_edge.base.errors import EngineError
from ast_edge.engines.choice import ENGINES, open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.model.bundle import load_bundle
from ast_export import bench
from ast_export.bench import Contender, Latency, measure_speed
from ast_export.flops import count_flops

HERE = ["openvino", "onnxruntime"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load_bundle(write_bundle(tmp_path_factory.mktemp("bundle") / "bands"))


@pytest.fixture(scope="module")
def names(tiny):
    """What runs here: not every processor multiplies fp16 or bf16."""
    configs = [EngineConfig(name="openvino", precision=one) for one in bench.PRECISIONS]
    found = [f"openvino {open_engine(tiny, config).precision}" for config in configs]
    return list(dict.fromkeys([*found, "onnxruntime fp32"]))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """No waiting: how long runs take is no claim of these tests."""
    monkeypatch.setattr(bench, "MOST", 3)


def measured(bundle, **changes):
    options = {"engines": HERE, "batches": [1, 2], "threads": 1, "seconds": 1e6}
    return measure_speed(bundle, **options | changes)


class SlowClock:
    """Every run takes a second, as far as this clock can tell; and so does looking at it."""

    def __init__(self):
        self.ticks = itertools.count()

    def __call__(self):
        return float(next(self.ticks))


def test_every_engine_is_measured_with_every_batch_from_small_to_large(tiny, names):
    result = measured(tiny, batches=[4, 1, 2, 1])
    found = [(latency.batch, latency.contender.name) for latency in result.latencies]
    assert found == [(batch, name) for batch in (1, 2, 4) for name in names]
    assert [contender.name for contender in result.contenders] == names


def test_all_engines_have_as_many_runs_of_a_batch_size(tiny):
    runs = {len(latency.seconds) for latency in measured(tiny).latencies}
    assert runs == {bench.MOST * bench.BURST}


def test_engines_run_in_turns_and_not_one_after_the_other(tiny, monkeypatch):
    order = []
    for name in HERE:
        monkeypatch.setitem(ENGINES, name, noting(ENGINES[name], order))
    measured(tiny, batches=[3])
    turns = [name for name, _ in itertools.groupby(n for n, shape in order if shape[0] == 3)]
    assert turns.count("onnxruntime") >= bench.FEWEST


def noting(make, order):
    """An engine that notes each run before it computes."""

    def opened(bundle, config):
        engine = make(bundle, config)
        run = engine.run

        def noted(windows):
            order.append((engine.name, windows.shape))
            return run(windows)

        engine.run = noted
        return engine

    return opened


def test_windows_have_the_shape_that_the_bundle_takes(tiny, monkeypatch):
    order = []
    monkeypatch.setitem(ENGINES, "openvino", noting(ENGINES["openvino"], order))
    measured(tiny, engines=["openvino"], batches=[5])
    assert ("openvino", (5, FRAMES, 128)) in order


def test_batch_sizes_without_time_are_left_out_and_named(tiny):
    result = measured(tiny, batches=[1, 8, 32], seconds=1.0, clock=SlowClock())
    assert {latency.batch for latency in result.latencies} == {1}
    assert result.left_out == (8, 32)


def test_of_the_smallest_batch_one_turn_is_measured_however_long_it_takes(tiny):
    result = measured(tiny, batches=[4, 8], seconds=0.0, clock=SlowClock())
    assert {(entry.batch, len(entry.seconds)) for entry in result.latencies} == {(4, bench.BURST)}


def test_with_time_enough_no_batch_size_is_left_out(tiny):
    assert measured(tiny, clock=SlowClock()).left_out == ()


def test_every_batch_size_is_announced_before_it_is_measured(tiny):
    announced = []
    measured(tiny, batches=[2, 1, 3], on_batch=announced.append)
    assert announced == [1, 2, 3]


def test_an_engine_that_is_not_here_is_named_with_the_reason(tiny, monkeypatch):
    monkeypatch.delitem(sys.modules, "ast_edge.engines.openvino", raising=False)
    monkeypatch.setitem(sys.modules, "openvino", None)
    result = measured(tiny)
    assert [contender.name for contender in result.contenders] == ["onnxruntime fp32"]
    (reason,) = [text for text in result.unavailable if text.startswith("openvino")]
    assert reason.startswith("openvino: cannot be imported")


def test_an_engine_that_computes_in_another_precision_counts_once(tiny, monkeypatch):
    make = ENGINES["onnxruntime"]
    own = {"precision": "auto"}
    monkeypatch.setitem(ENGINES, "onnxruntime", lambda b, c: make(b, c.model_copy(update=own)))
    result = measured(tiny, engines=["onnxruntime"])
    assert [contender.name for contender in result.contenders] == ["onnxruntime fp32"]
    assert result.unavailable == ()


def test_without_any_engine_the_error_names_every_reason(tiny, monkeypatch):
    for name in HERE:
        monkeypatch.delitem(sys.modules, f"ast_edge.engines.{name}", raising=False)
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineError, match=r"openvino: cannot .*; onnxruntime: cannot "):
        measured(tiny)


def test_engines_are_closed_in_the_end(tiny, monkeypatch):
    opened, make = [], ENGINES["onnxruntime"]
    monkeypatch.setitem(
        ENGINES, "onnxruntime", lambda b, c: opened.append(make(b, c)) or opened[-1]
    )
    measured(tiny, engines=["onnxruntime"], batches=[1])
    assert opened
    for engine in opened:
        with pytest.raises(EngineError, match="closed"):
            engine.run(np.zeros((1, FRAMES, 128), np.float32))


# Figures of a latency


def latency(seconds, batch=1, flops=10, peak=1.0):
    contender = Contender("openvino", "fp32", "OpenVINO", peak)
    return Latency(contender, batch, tuple(seconds), flops)


def test_a_percentile_lies_above_that_share_of_the_runs():
    runs = latency(range(1, 201))
    for percent in (50, 95, 99):
        below = sum(seconds < runs.percentile(percent) for seconds in runs.seconds)
        assert below == 2 * percent


@pytest.mark.parametrize(("percent", "fewest"), [(50, 2), (95, 20), (99, 100)])
def test_a_percentile_needs_runs_above_it(percent, fewest):
    assert latency(range(1, fewest + 1)).percentile(percent) is not None
    assert latency(range(1, fewest)).percentile(percent) is None


def test_throughput_is_windows_over_the_time_of_all_runs():
    assert latency([0.5, 1.5, 2.0], batch=8).windows_per_second == 24 / 4


def test_the_share_of_the_peak_is_that_of_the_operations():
    assert latency([0.5], batch=2, flops=10, peak=160.0).share == 2 * 10 / 0.5 / 160


def test_the_operations_are_those_of_the_graph(tiny):
    result = measured(tiny, batches=[1])
    assert {entry.flops for entry in result.latencies} == {result.flops} == {count_flops(tiny.onnx)}
