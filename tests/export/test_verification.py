import pytest

from ast_edge.base.errors import ConfigError
from ast_edge.engines.config import EngineConfig
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.bundle import load_bundle
from ast_export.recordings import audio_windows
from ast_export.verification import engine_config, verify


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_engine_that_says_what_the_bundle_says_holds(written, audio, engine):
    windows = audio_windows(audio, FbankSpec(), 64)
    report = verify(load_bundle(written[0]), EngineConfig(name=engine), windows)
    assert (report.engine, report.holds) == (engine, True)


def test_the_frame_scores_of_an_engine_are_verified_too(framed, audio):
    windows = audio_windows(audio, FbankSpec(), 64)
    report = verify(load_bundle(framed[0]), EngineConfig(name="openvino"), windows)
    assert report.frame is not None
    assert report.holds


def test_onnx_runtime_is_not_compared_with_itself(written, audio):
    windows = audio_windows(audio, FbankSpec(), 64)
    report = verify(load_bundle(written[0]), EngineConfig(name="onnxruntime"), windows)
    assert report.largest > 0


@pytest.mark.parametrize(("name", "precision"), [("tensorflow", "auto"), ("openvino", "fp8")])
def test_a_setting_that_is_none_is_refused(name, precision):
    with pytest.raises(ConfigError, match=r"tensorflow|fp8"):
        engine_config(name, precision)
