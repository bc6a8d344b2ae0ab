import pytest

from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.hub import trial
from ast_edge.hub.trial import (
    Pace,
    Timing,
    advice,
    measure,
    suggest_pace,
    time_engines,
    with_one_thread,
)
from ast_edge.model.bundle import load_bundle

WINDOW = 10.24


@pytest.mark.parametrize(
    ("seconds", "hop", "idle_hop"),
    [
        (0.01, 0.5, None),
        (0.3, 0.6, 3.0),
        (2.09, 4.2, 10.0),
        (4.99, 10.0, None),
        (9.4, None, None),
    ],
)
def test_hops_leave_the_machine_half_of_its_time(seconds, hop, idle_hop):
    assert suggest_pace(seconds, WINDOW) == Pace(seconds, hop, idle_hop)


@pytest.mark.parametrize(("window", "hop", "idle_hop"), [(0.995, 0.5, 0.9), (0.3, 0.3, None)])
def test_a_hop_leaves_no_sound_unheard(window, hop, idle_hop):
    assert suggest_pace(0.1, window) == Pace(0.1, hop, idle_hop)


def timing(engine, seconds, **config):
    return Timing(EngineConfig(name=engine, **config), engine, suggest_pace(seconds, WINDOW))


def test_a_machine_that_is_too_slow_is_told_what_to_do():
    (line,) = advice([timing("openvino", 9.4)])
    assert "too slow here to listen all the time (9.4 s a window)" in line


def test_lines_for_a_configuration_are_given():
    assert advice([timing("openvino", 0.3)]) == ["hop: 0.6", "idle_hop: 3"]


def test_an_engine_that_is_faster_than_the_first_is_named():
    lines = advice([timing("openvino", 0.3), timing("onnxruntime", 0.1)])
    assert lines == ["hop: 0.5", "idle_hop: 1", "engine: {name: onnxruntime}"]


def test_a_precision_and_a_device_that_are_faster_are_named():
    half, gpu = timing("openvino", 0.2, precision="fp16"), timing("openvino", 0.1, device="gpu")
    first = timing("openvino", 0.3)
    assert advice([first, half])[-1] == "engine: {name: openvino, precision: fp16}"
    assert advice([first, half, gpu])[-1] == "engine: {name: openvino, device: gpu}"


def test_several_sources_share_the_machine():
    assert suggest_pace(0.3, WINDOW, 3) == Pace(0.3, 1.8, 9.0)


def test_a_window_is_timed(tiny_model):
    bundle = load_bundle(tiny_model)
    engine = open_engine(bundle, EngineConfig(name="openvino"))
    times = iter([0, 1, 10, 13, 20, 22])
    assert measure(engine, bundle, lambda: next(times)) == 2
    engine.close()


def test_engines_that_do_not_work_here_are_left_out(tiny_model):
    found = time_engines(load_bundle(tiny_model), ["tensorrt", "openvino"])
    assert "openvino" in [timing.engine.name for timing in found]
    assert all(timing.pace.seconds > 0 for timing in found)


@pytest.mark.parametrize(
    ("seconds", "hop", "does"), [(0.12, 0.5, True), (0.13, 0.5, False), (0.12, 0.3, False)]
)
def test_one_thread_does_where_it_takes_a_quarter_of_the_time(
    tiny_model, monkeypatch, seconds, hop, does
):
    monkeypatch.setattr(trial, "measure", lambda *_: seconds)
    found = with_one_thread(load_bundle(tiny_model), timing("openvino", 0.05), hop)
    assert (found.engine.threads if found else None) == (1 if does else None)


def test_a_model_that_keeps_all_threads_busy_is_not_tried_with_one(tiny_model, monkeypatch):
    monkeypatch.setattr(trial, "open_engine", None)
    assert with_one_thread(load_bundle(tiny_model), timing("openvino", 0.2), 0.5) is None


def test_what_has_no_threads_is_left_as_it_is(tiny_model):
    bundle, single = load_bundle(tiny_model), EngineConfig(name="openvino", threads=1)
    engine = open_engine(bundle, single)
    engine.close()
    timed = Timing(single, engine.description, Pace(0.1, 0.5, None))
    assert with_one_thread(bundle, timed, 0.5) is None
