"""All engines by the same tests, with a graph whose scores are known."""

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest

from ast_edge.base.errors import EngineError
from ast_edge.engines.choice import ENGINES, open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Scores
from ast_edge.model.bundle import load_bundle

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.gpu import hardware as gpu
from rigs.model import FRAMES, LABELS, make_tree, scores, step_scores, write_bundle, write_tree


def usable(name):
    if name == "tensorrt":
        return not gpu.missing() and (find_spec("tensorrt") or find_spec("tensorrt_rtx"))
    return find_spec(name)


INSTALLED = [name for name in ENGINES if usable(name)]
every_engine = pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.skipif(n not in INSTALLED, reason=f"no {n} here"))
        for n in ENGINES
    ],
)


def exact(name):
    return EngineConfig(name=name, precision="fp32", threads=1)


def windows(batch):
    return np.random.default_rng(batch).normal(-8, 4, (batch, FRAMES, 128)).astype(np.float32)


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


@pytest.fixture(scope="module")
def engines(bundle):
    return {name: open_engine(bundle, exact(name)) for name in INSTALLED}


@every_engine
@pytest.mark.parametrize("batch", range(1, 9))
def test_every_batch_is_scored_as_the_graph_says(engines, name, batch):
    fbank = windows(batch)
    clip = engines[name].run(fbank).clip
    assert clip.dtype == np.float32
    assert clip == pytest.approx(scores(fbank), abs=1e-5)


@every_engine
def test_a_bundle_without_frame_scores_has_none(engines, name):
    assert engines[name].run(windows(2)).frame is None
    assert [frame for _, frame in engines[name].run(windows(2)).each()] == [None, None]


@pytest.fixture(scope="module")
def framed(framed_model):
    return load_bundle(framed_model)


@every_engine
def test_frame_scores_come_with_those_of_the_clip(framed, name):
    engine = open_engine(framed, exact(name))
    for batch in (1, 3, 8):
        fbank = windows(batch)
        found = engine.run(fbank)
        assert found.frame.dtype == np.float32
        assert found.clip == pytest.approx(scores(fbank), abs=1e-5)
        assert found.frame == pytest.approx(step_scores(fbank), abs=1e-5)


@every_engine
def test_the_scores_of_one_window_after_the_other_are_those_of_all(framed, name):
    found = open_engine(framed, exact(name)).run(windows(3))
    clips, frames = zip(*found.each(), strict=True)
    assert np.array_equal(np.stack(clips), found.clip)
    assert np.array_equal(np.stack(frames), found.frame)


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.0, -1.0])
def test_a_window_with_scores_that_are_no_probabilities_has_none_and_no_other(value):
    clip, frame = np.full((4, 2), 0.5, np.float32), np.full((4, 3, 2), 0.5, np.float32)
    clip[1, 0] = frame[2, 1, 1] = value
    found = Scores(clip, frame)
    assert found.usable.tolist() == [True, False, False, True]
    for good, (clip_scores, frame_scores) in zip(found.usable, found.each(), strict=True):
        assert np.unique(clip_scores).tolist() == np.unique(frame_scores).tolist() == [0.5 * good]


def test_a_probability_may_be_rounded_beyond_1():
    assert Scores(np.array([[1.0001, -0.0001]], np.float32)).usable.all()


@every_engine
@pytest.mark.parametrize("graph", [{"frame": False}, {"steps": "other"}], ids=str)
def test_a_graph_without_the_frame_scores_of_its_bundle_is_refused(tmp_path, name, graph):
    write_bundle(tmp_path, **{"frame": True} | graph)
    write_tree(tmp_path, make_tree(tmp_path, frame=True))
    with pytest.raises(EngineError, match=f"^{name}: ") as caught:
        open_engine(load_bundle(tmp_path), exact(name))
    assert "\n" not in str(caught.value)


@every_engine
def test_frame_scores_of_other_steps_than_the_bundles_are_refused(tmp_path, name):
    write_bundle(tmp_path, frame=True)
    tree = make_tree(tmp_path, frame=True)
    tree["members"][0]["stride"] = [16, 16]
    write_tree(tmp_path, tree)
    with pytest.raises(EngineError, match=r"expected .*frame.*6, 2\).*12, 2\)"):
        open_engine(load_bundle(tmp_path), exact(name))


@every_engine
def test_the_size_of_the_batch_changes_nothing(engines, name):
    fbank = windows(8)
    alone = np.concatenate([engines[name].run(window[np.newaxis]).clip for window in fbank])
    assert engines[name].run(fbank).clip == pytest.approx(alone, abs=1e-6)


@every_engine
def test_the_same_windows_have_the_same_scores(engines, name):
    first = engines[name].run(windows(3)).clip
    engines[name].run(windows(5))
    assert np.array_equal(first, engines[name].run(windows(3)).clip)


@pytest.mark.skipif(len(INSTALLED) < 2, reason="one engine only")
def test_the_engines_agree(engines):
    first, *others = [engine.run(windows(4)).clip for engine in engines.values()]
    assert all(other == pytest.approx(first, abs=1e-5) for other in others)


@every_engine
def test_scores_stay_what_they_are_when_the_engine_runs_again(engines, name):
    clip = engines[name].run(windows(2)).clip
    kept = clip.copy()
    engines[name].run(windows(2) + 5)
    assert np.array_equal(clip, kept)


@every_engine
@pytest.mark.parametrize("shape", [(1, FRAMES + 1, 128), (1, FRAMES, 64), (FRAMES, 128)])
def test_windows_of_another_shape_are_refused(engines, name, shape):
    with pytest.raises(EngineError, match=r"the graph refused windows of shape \(") as caught:
        engines[name].run(np.zeros(shape, np.float32))
    assert "\n" not in str(caught.value)


@every_engine
def test_an_engine_goes_on_after_windows_that_it_refused(engines, name):
    with pytest.raises(EngineError):
        engines[name].run(np.zeros((1, 3, 128), np.float32))
    assert engines[name].run(windows(1)).clip.shape == (1, len(LABELS))


@every_engine
@pytest.mark.parametrize(
    "graph",
    [
        {"labels": 3},
        {"output": "scores"},
        {"name": "input"},
        {"mel_bins": 64},
        {"squash": "Log"},  # not a number on silence
        {"squash": "Neg"},  # not a probability on silence
        {"squash": "NoSuchOperator"},
    ],
    ids=str,
)
def test_a_graph_that_does_not_fit_its_bundle_is_refused(tmp_path, name, graph):
    bundle = load_bundle(write_bundle(tmp_path, **graph))
    with pytest.raises(EngineError, match=f"^{name}: ") as caught:
        open_engine(bundle, exact(name))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 69


@every_engine
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"not a graph"], ids=["empty", "zeros", "text"]
)
def test_a_file_that_is_no_graph_is_refused(model_folder, name, content):
    bundle = load_bundle(model_folder)
    (model_folder / "model.onnx").write_bytes(content)
    with pytest.raises(EngineError, match=f"^{name}: "):
        open_engine(bundle, exact(name))


@pytest.mark.skipif("onnxruntime" not in INSTALLED, reason="no onnxruntime installed")
def test_onnxruntime_refuses_a_precision_that_it_lacks(bundle):
    with pytest.raises(EngineError, match="onnxruntime computes in fp32 as the graph says"):
        open_engine(bundle, EngineConfig(name="onnxruntime", precision="bf16"))


@pytest.mark.skipif("openvino" not in INSTALLED, reason="no openvino installed")
def test_a_lower_precision_changes_scores_by_little(bundle):
    engine = open_engine(bundle, EngineConfig(name="openvino", precision="auto", threads=1))
    assert engine.run(windows(4)).clip == pytest.approx(scores(windows(4)), abs=0.03)


@pytest.mark.skipif("openvino" not in INSTALLED, reason="no openvino installed")
def test_auto_takes_openvino_and_says_so_once(bundle, caplog):
    with caplog.at_level(logging.INFO, "ast_edge"):
        open_engine(bundle, EngineConfig())
    assert [r.levelname for r in caplog.records] == ["INFO"]
    assert caplog.records[0].getMessage().startswith("engine OpenVINO ")


@pytest.mark.skipif("onnxruntime" not in INSTALLED, reason="no onnxruntime installed")
def test_auto_falls_back_with_one_warning(bundle, caplog, monkeypatch):
    monkeypatch.delitem(sys.modules, "ast_edge.engines.openvino", raising=False)
    monkeypatch.setitem(sys.modules, "openvino", None)
    engine = open_engine(bundle, EngineConfig())
    assert engine.description.startswith("ONNX Runtime")
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warning.startswith("engine openvino: cannot be imported")
    assert "pip install openvino" in warning


class Mute:
    """An engine that gives scores of no window, as OpenVINO does on a processor it cannot use."""

    def run(self, windows):
        return Scores(np.empty((0, len(LABELS)), np.float32))

    def close(self):
        self.closed = True


def test_an_engine_that_gives_scores_of_no_window_is_passed_over(bundle, caplog, monkeypatch):
    mute = Mute()
    monkeypatch.setitem(ENGINES, "openvino", lambda *_: mute)
    assert open_engine(bundle, EngineConfig()).name == "onnxruntime"
    (warning,) = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert f"got (0, {len(LABELS)}); the bundle is not usable with this engine" in warning
    assert mute.closed


SCORES_OF_HOME = """
import numpy
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.model.bundle import find_bundle, load_bundle
bundle = load_bundle(find_bundle("home"))
windows = numpy.full((2, bundle.frames, bundle.fbank.mel_bins), -9, numpy.float32)
print(round(float(open_engine(bundle, EngineConfig(threads=1)).run(windows).clip.sum()), 3))
"""


@pytest.mark.skipif(not usable("onnxruntime"), reason="onnxruntime is not installed")
@pytest.mark.parametrize("instructions", ["AVX2", "AVX", "SSE41"])
def test_a_processor_without_newer_instructions_gives_the_same_scores(instructions):
    command = [sys.executable, "-c", SCORES_OF_HOME]
    older = os.environ | {"ONEDNN_MAX_CPU_ISA": instructions}
    found = subprocess.run(command, env=older, capture_output=True, text=True, check=True)
    now = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(found.stdout) == pytest.approx(float(now.stdout), abs=2e-3)


def test_without_any_engine_the_error_names_the_reason_for_each(bundle, monkeypatch):
    for name in ENGINES:
        monkeypatch.delitem(sys.modules, f"ast_edge.engines.{name}", raising=False)
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineError, match=r"openvino: cannot .*; onnxruntime: cannot "):
        open_engine(bundle, EngineConfig())


@every_engine
def test_an_engine_leaves_nothing_in_the_home_directory(tiny_model, tmp_path, name):
    home = tmp_path / "home"
    home.mkdir()
    program = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from ast_edge.model.bundle import load_bundle\n"
        "from ast_edge.app.config import EngineConfig\n"
        "from ast_edge.engines.choice import open_engine\n"
        "bundle = load_bundle(Path(sys.argv[1]))\n"
        "open_engine(bundle, EngineConfig(name=sys.argv[2], threads=1))\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "PYTEST_"))}
    subprocess.run(
        [sys.executable, "-c", program, str(tiny_model), name],
        env=environment | {"HOME": str(home), "TMPDIR": str(home)},
        cwd=home,
        check=True,
        timeout=60,
    )
    assert list(home.rglob("*")) == []


@every_engine
def test_the_same_windows_always_have_the_same_scores(engines, name):
    first = engines[name].run(windows(3)).clip
    assert all(np.array_equal(engines[name].run(windows(3)).clip, first) for _ in range(5))


@every_engine
def test_threads_may_share_an_engine(engines, name):
    batches = [windows(size) for size in range(1, 9)] * 4
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda fbank: engines[name].run(fbank).clip, batches))
    for fbank, clip in zip(batches, found, strict=True):
        assert clip == pytest.approx(scores(fbank), abs=1e-5)


@every_engine
def test_an_engine_can_be_closed_and_opened_again(bundle, name):
    fbank = windows(2)
    for _ in range(3):
        engine = open_engine(bundle, exact(name))
        assert engine.run(fbank).clip == pytest.approx(scores(fbank), abs=1e-5)
        engine.close()
        engine.close()


@every_engine
def test_a_closed_engine_says_so(bundle, name):
    engine = open_engine(bundle, exact(name))
    engine.close()
    with pytest.raises(EngineError, match="is closed"):
        engine.run(windows(1))


@every_engine
def test_an_engine_knows_its_name_and_precision(engines, name):
    assert (engines[name].name, engines[name].precision) == (name, "fp32")


@every_engine
@pytest.mark.parametrize("order", ["ab", "ba"])
def test_signals_reach_python_after_engines_are_closed_in_any_order(tiny_model, name, order):
    # OpenVINO replaces the stack on which the main thread handles signals.
    program = f"""
import os, signal
from pathlib import Path
from ast_edge.model.bundle import load_bundle
from ast_edge.app.config import EngineConfig
from ast_edge.engines.choice import open_engine
signal.signal(signal.SIGUSR1, lambda number, frame: print("handled"))
bundle = load_bundle(Path({str(tiny_model)!r}))
engines = {{name: open_engine(bundle, EngineConfig(name={name!r})) for name in "ab"}}
for name in {order!r}:
    del engines[name]
os.kill(os.getpid(), signal.SIGUSR1)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


def test_a_machine_without_a_gpu_is_not_told_of_it(bundle, caplog):
    if not gpu.missing():
        pytest.skip("there is a GPU")
    with caplog.at_level(logging.INFO):
        open_engine(bundle, EngineConfig())
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().startswith("engine OpenVINO")


def test_an_engine_that_was_asked_for_says_that_there_is_no_gpu(bundle):
    if not gpu.missing():
        pytest.skip("there is a GPU")
    with pytest.raises(EngineError, match=r"tensorrt: .*NVIDIA"):
        open_engine(bundle, EngineConfig(name="tensorrt"))


@pytest.mark.skipif("onnxruntime" not in INSTALLED, reason="no onnxruntime here")
def test_onnx_runtime_computes_on_the_gpu_if_its_build_can(monkeypatch):
    from ast_edge.engines import onnxruntime as onnxruntime_engine

    build = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime_engine.onnxruntime, "get_available_providers", lambda: build)
    (tensorrt, settings), (cuda, cuda_settings), cpu = onnxruntime_engine._providers()
    assert [tensorrt, cuda, cpu] == build
    assert settings["trt_engine_cache_enable"] == "True"
    assert cuda_settings == {"use_tf32": "0"}
