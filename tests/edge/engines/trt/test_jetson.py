import pytest

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt import jetson
from ast_edge.engines.trt.jetson import refusal
from ast_edge.engines.trt.library import find_library

R36 = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: …\n"


@pytest.fixture
def release(tmp_path):
    def write(text):
        (tmp_path / "nv_tegra_release").write_text(text)
        return tmp_path / "nv_tegra_release"

    return write


@pytest.mark.parametrize(
    ("linux", "version", "said"),
    [
        ("R36", "10.3.0", ""),
        ("R36", "10.16.1.11", ""),
        ("R36", "11.4.1", "keep the TensorRT 10 that came with it"),
        ("R38", "10.13.3", ""),
        ("R38", "11.0.0", "expected 11.4.1 or later"),
        ("R38", "11.4.0.106", "expected 11.4.1 or later"),
        ("R38", "11.4.1.2", ""),
        ("R39", "11.5.0", ""),
        ("R38", "12.0", ""),
    ],
)
def test_a_jetpack_runs_the_tensorrt_that_was_made_for_it(release, linux, version, said):
    found = refusal(version, release(R36.replace("R36", linux)))
    assert said in found
    assert bool(said) == bool(found)


@pytest.mark.parametrize("text", ["", "something else", "\ufffd"])
def test_what_says_nothing_refuses_nothing(release, text):
    assert refusal("11.0.0", release(text)) == ""


def test_other_machines_run_any(tmp_path):
    assert refusal("11.0.0", tmp_path / "missing") == ""


def test_a_tensorrt_that_cannot_run_here_is_refused_before_anything_is_built(release, monkeypatch):
    pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")
    monkeypatch.setattr(jetson, "RELEASE", release(R36.replace("R36", "R38")))
    module = __import__("tensorrt_rtx")
    monkeypatch.setattr(module, "__version__", "11.2.0")
    with pytest.raises(EngineError, match=r"does not run on a Jetson: expected 11\.4\.1"):
        find_library()
