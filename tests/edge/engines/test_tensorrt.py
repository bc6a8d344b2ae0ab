"""The engine for NVIDIA GPUs: its life on a fake GPU, its refusal without one."""

import logging
import socket
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.full_disk import files_end_at
from rigs.gpu import hardware as gpu
from rigs.gpu.fake_cuda import FakeEngine, FakeMachine
from rigs.model import FRAMES, scores, step_scores, write_bundle

from ast_edge.base.errors import EngineError
from ast_edge.engines import choice
from ast_edge.engines import tensorrt as tensorrt_engine
from ast_edge.engines.choice import ENGINES, check_fit, open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.tensorrt import SignsOfLife, TensorRTEngine
from ast_edge.engines.trt.build import build_engine
from ast_edge.engines.trt.engine_card import Tensor
from ast_edge.engines.trt.library import find_library
from ast_edge.model.bundle import load_bundle

MAX_BATCH = 4


def windows(batch):
    return np.random.default_rng(batch).normal(-8, 4, (batch, FRAMES, 128)).astype(np.float32)


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty folder for engines."""
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "engines"))
    return tmp_path / "engines"


@pytest.fixture
def machine(request, monkeypatch):
    fake = FakeMachine(MAX_BATCH, frame=getattr(request, "param", False))
    monkeypatch.setattr(tensorrt_engine, "open_cuda", fake.open_cuda)
    monkeypatch.setattr(tensorrt_engine, "find_library", lambda: fake.library)
    monkeypatch.setattr(tensorrt_engine, "build_engine", fake.build)
    return fake


def make(bundle, **config):
    return TensorRTEngine(bundle, EngineConfig(**config))


@pytest.mark.skipif(not gpu.missing(), reason="there is a GPU")
def test_without_a_gpu_it_is_unavailable(bundle, cache):
    with pytest.raises(EngineError) as caught:
        make(bundle)
    assert "\n" not in str(caught.value)
    assert not cache.exists(), "nothing may be built for it"


@pytest.mark.skipif(not gpu.missing(), reason="there is a GPU")
def test_without_a_gpu_the_next_engine_is_taken(bundle, monkeypatch):
    others = {name: make for name, make in ENGINES.items() if name != "tensorrt"}
    # Another mapping: entries that were taken out of this one would come back in another order.
    monkeypatch.setattr(choice, "ENGINES", {"tensorrt": TensorRTEngine, **others})
    assert open_engine(bundle, EngineConfig()).name in others


@pytest.mark.skipif(not gpu.missing(), reason="there is a GPU")
@pytest.mark.skipif(not find_spec("tensorrt_rtx"), reason="tensorrt_rtx is not installed")
@pytest.mark.skipif(bool(find_spec("tensorrt")), reason="the full TensorRT comes first")
def test_what_tensorrt_says_of_an_engine_that_it_cannot_read_is_passed_on(
    machine, bundle, monkeypatch, cache
):
    """The real TensorRT-RTX builds without a GPU, but reads no engine without a driver."""
    monkeypatch.setattr(tensorrt_engine, "find_library", find_library)
    monkeypatch.setattr(tensorrt_engine, "build_engine", build_engine)
    with pytest.raises(EngineError, match=r"cannot read the engine: .*driver") as caught:
        make(bundle)
    assert "\n" not in str(caught.value)
    assert not cache.exists(), "what cannot be read must not be kept"


def test_it_scores_as_the_graph_says(machine, bundle):
    clip = make(bundle).run(windows(2 * MAX_BATCH + 1)).clip
    assert clip.dtype == np.float32
    assert clip == pytest.approx(scores(windows(2 * MAX_BATCH + 1)), abs=1e-6)


@pytest.mark.parametrize("machine", [True], indirect=True)
def test_frame_scores_come_with_those_of_the_clip(machine, framed_model):
    engine, fbank = make(load_bundle(framed_model)), windows(MAX_BATCH + 2)
    found = engine.run(fbank)
    assert found.clip == pytest.approx(scores(fbank), abs=1e-6)
    assert found.frame == pytest.approx(step_scores(fbank), abs=1e-6)


def test_an_engine_without_the_frame_scores_of_its_bundle_is_refused(machine, framed_model, cache):
    with pytest.raises(EngineError, match=r"expected .*frame \(any, 12, 2\).* got"):
        make(load_bundle(framed_model))
    assert not cache.exists()


def test_it_fits_its_bundle(machine, bundle):
    check_fit(make(bundle), bundle)


def test_an_engine_is_built_once(machine, bundle):
    make(bundle).close()
    make(bundle).close()
    assert machine.builds == 1


def test_the_log_says_that_an_engine_is_built(machine, bundle, caplog):
    with caplog.at_level(logging.INFO, "ast_edge.engines.tensorrt"):
        make(bundle)
        make(bundle)
    first, last = caplog.messages
    assert first == (
        "building an engine of 'bands' for fake GPU with tensorrt 10.3.0: "
        "this can take minutes, once"
    )
    assert last.startswith("built the engine in")


def test_another_version_of_the_library_builds_its_own(machine, bundle):
    make(bundle)
    module = machine.library.module
    machine.library = type(machine.library)(module, "tensorrt", "10.4.0")
    make(bundle)
    assert machine.builds == 2


def test_a_damaged_engine_is_built_again(machine, bundle, cache, caplog):
    make(bundle)
    (engine,) = cache.glob("*.engine")
    engine.write_bytes(b"PLAN")
    make(bundle)
    assert machine.builds == 2
    assert "damaged" in caplog.text


def test_an_engine_that_cannot_be_read_any_more_is_built_again(machine, bundle, caplog):
    machine.plan = b"unreadable"
    with pytest.raises(EngineError, match="cannot read the engine"):
        make(bundle)
    machine.plan = b"plan"
    make(bundle)
    assert machine.builds == 2


def test_a_cached_engine_that_cannot_be_read_here_is_built_again(
    machine, bundle, monkeypatch, caplog
):
    make(bundle)
    module = machine.library.module
    answers = iter([None])
    monkeypatch.setattr(module, "_read", lambda plan: next(answers, FakeEngine(machine.cuda)))
    make(bundle)
    assert machine.builds == 2
    assert "it is built again" in caplog.text


def test_without_space_for_the_engine_it_runs_all_the_same(machine, bundle, caplog):
    with files_end_at(0):
        engine = make(bundle)
    assert engine.run(windows(1)).clip == pytest.approx(scores(windows(1)), abs=1e-6)
    assert "will be built again at the next start" in caplog.text


def test_an_engine_for_other_labels_is_refused(machine, bundle, cache):
    machine.clip = Tensor("clip", "float32", (-1, 3))
    with pytest.raises(EngineError, match=r"expected .*clip \(any, 2\).* got .*clip \(any, 3\)"):
        make(bundle)
    assert not cache.exists()


@pytest.mark.parametrize("shape", [(1, FRAMES + 1, 128), (FRAMES, 128), (0, FRAMES, 128), ()])
def test_windows_of_another_shape_are_refused(machine, bundle, shape):
    engine = make(bundle)
    with pytest.raises(EngineError, match=r"the graph refused windows of shape \("):
        engine.run(np.zeros(shape, np.float32))


def test_a_precision_that_is_not_the_graphs_is_refused(machine, bundle):
    with pytest.raises(EngineError, match=r"set engine\.precision to one of auto, fp32, fp16"):
        make(bundle, precision="bf16")
    assert machine.builds == 0


def test_the_description_names_library_precision_gpu_and_cuda(machine, bundle):
    assert make(bundle).description == "tensorrt 10.3.0, fp32, fake GPU, fake CUDA"


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A bundle with a product that is computed in float16."""
    return load_bundle(write_bundle(tmp_path_factory.mktemp("bundle") / "deep", spread=2.0))


@pytest.fixture(scope="module")
def loud(tmp_path_factory):
    """A bundle whose numbers float16 cannot hold."""
    return load_bundle(write_bundle(tmp_path_factory.mktemp("bundle") / "loud", spread=32768.0))


def test_a_bundle_in_fp32_is_computed_in_fp16_unless_asked_otherwise(machine, deep):
    assert (make(deep).precision, machine.built) == ("fp16", ["fp16"])
    assert make(deep, precision="fp16").description.startswith("tensorrt 10.3.0, fp16, ")
    assert make(deep, precision="fp32").precision == "fp32"
    assert machine.built == ["fp16", "fp32"]


def test_what_the_gpu_says_in_fp16_is_compared_once(machine, deep, caplog):
    with caplog.at_level(logging.INFO, "ast_edge.engines.tensorrt"):
        make(deep).close()
    assert "fp16 on fake GPU differs by " in caplog.text
    before = len(machine.engine.batches)
    make(deep).close()
    assert len(machine.engine.batches) == before


def test_a_gpu_that_gives_other_scores_in_fp16_computes_in_fp32(machine, deep, caplog):
    machine.engine.error = 0.02
    for _ in range(2):  # which is remembered
        assert make(deep).precision == "fp32"
    assert machine.built == ["fp16", "fp32"]
    (first, _) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "in fp16 on fake GPU differs by 2.0e-02 at most from ONNX Runtime" in first
    assert "it computes in fp32" in first


def test_numbers_that_fp16_cannot_hold_are_said_and_computed_in_fp32(machine, loud, caplog):
    assert make(loud).precision == "fp32"
    assert machine.built == ["fp32"]
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "cannot be computed in fp16: values up to " in warning
    assert "float16 ends at 65504" in warning


def test_fp16_that_was_asked_for_and_cannot_be_is_an_error(machine, loud):
    with pytest.raises(EngineError, match="float16 ends at 65504"):
        make(loud, precision="fp16")
    assert machine.cuda.closed


def test_a_graph_in_fp16_that_tensorrt_refuses_is_computed_in_fp32(
    machine, deep, caplog, monkeypatch
):
    def build(library, bundle, *others):
        if bundle.precision == "fp16":
            raise EngineError("cannot read the graph")
        return machine.build(library, bundle, *others)

    monkeypatch.setattr(tensorrt_engine, "build_engine", build)
    assert make(deep).precision == "fp32"
    assert "cannot read the graph; it computes in fp32" in caplog.text


def test_without_space_for_a_graph_in_fp16_it_computes_in_fp32(machine, deep, caplog):
    with files_end_at(0):
        engine = make(deep)
    assert engine.precision == "fp32"
    assert "cannot be written" in caplog.text


def test_a_closed_engine_says_so(machine, bundle):
    engine = make(bundle)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="the engine is closed"):
        engine.run(windows(1))


def test_closing_frees_the_gpu(machine, bundle):
    make(bundle).close()
    assert machine.cuda.closed


def test_an_engine_that_cannot_be_opened_frees_the_gpu(machine, bundle):
    machine.plan = b"unreadable"
    with pytest.raises(EngineError):
        make(bundle)
    assert machine.cuda.closed


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiver


def test_a_service_manager_is_asked_for_time_while_an_engine_is_built(machine, bundle, manager):
    make(bundle, precision="fp32")
    assert manager.recv(4096).decode().splitlines() == [
        "EXTEND_TIMEOUT_USEC=60000000",
        "STATUS=building the TensorRT engine: Building engine 0/1",
    ]


def test_a_service_manager_is_asked_for_time_while_a_graph_is_turned_and_compared(
    machine, deep, manager
):
    make(deep)
    said = []
    for _ in range(3):
        extend, status = manager.recv(4096).decode().splitlines()
        assert extend == "EXTEND_TIMEOUT_USEC=60000000"
        said.append(status.rpartition(": ")[2])
    assert said == ["making a graph in fp16 0/1", "Building engine 0/1", "comparing with fp32 0/1"]


def test_a_service_manager_is_not_flooded(manager):
    life = SignsOfLife()
    for done in range(1000):
        life.step("Timing kernels", done, 1000)
    assert b"0/1000" in manager.recv(4096)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


def test_a_build_of_a_process_that_begins_anew_holds_the_watchdog_back(manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    SignsOfLife().step("Timing kernels", 0, 1)
    words = manager.recv(4096).decode().split("\n")
    assert f"WATCHDOG_USEC={SignsOfLife.PATIENCE * 1e6:.0f}" in words
    assert "WATCHDOG=1" not in words


def test_a_service_manager_hears_again_before_its_patience_ends(manager):
    times = np.arange(0.0, 300.0, 0.5)
    clock = iter(times)
    life, heard = SignsOfLife(lambda: next(clock)), []
    for now in times:
        life.step("Timing kernels", 0, 1)
        try:
            manager.recv(4096)
        except BlockingIOError:
            continue
        heard.append(now)
    assert max(np.diff([*heard, 300.0])) < SignsOfLife.PATIENCE / 2
