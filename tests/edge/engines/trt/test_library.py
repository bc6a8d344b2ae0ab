import logging
import sys
from importlib.util import find_spec
from unittest.mock import patch

import pytest

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt.library import NAMES, Messages, find_library


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install modules with these sources in place of TensorRT."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(**sources):
        for name in NAMES:
            sys.modules.pop(name, None)
            if name in sources:
                (tmp_path / f"{name}.py").write_text(sources[name])
            else:
                sys.modules[name] = None

    with patch.dict(sys.modules):
        yield write


@pytest.fixture
def messages():
    return Messages(object)


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="the full TensorRT is installed")
def test_finds_the_library_that_is_installed(rtx):
    assert find_library() == rtx


def test_the_full_library_comes_first(install):
    install(tensorrt="__version__ = '10.3.0'", tensorrt_rtx="__version__ = '1.7.1'")
    assert find_library().title == "tensorrt 10.3.0"


def test_a_library_that_does_not_load_is_passed_over(install):
    install(tensorrt="raise OSError('libnvinfer.so.10')", tensorrt_rtx="__version__ = '1.7.1'")
    assert find_library().title == "tensorrt_rtx 1.7.1"


def test_without_a_library_the_error_says_what_to_install(install):
    install()
    with pytest.raises(EngineError, match="not installed: pip install tensorrt or tensorrt_rtx"):
        find_library()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ImportError('libnvinfer.so.10: cannot open')", r"libnvinfer\.so\.10: cannot open"),
        ("raise OSError('libnvinfer.so.10: no such file')", r"libnvinfer\.so\.10: no such file"),
        ("import tensorrt_bindings_that_are_missing", "No module named 'tensorrt_bindings"),
    ],
)
def test_a_library_that_does_not_load_says_why(install, source, reason):
    install(tensorrt=source)
    with pytest.raises(EngineError, match=f"^tensorrt cannot be imported: {reason}"):
        find_library()


def test_tensorrt_rtx_knows_what_it_can_build_for(rtx):
    assert {86, 89, 120} <= set(rtx.capabilities)


def test_the_full_library_builds_for_the_gpu_here(install):
    install(tensorrt="__version__ = '10.3.0'")
    assert find_library().capabilities == ()


@pytest.mark.parametrize(("gpu", "targets"), [((8, 9), (89,)), ((12, 0), (120,)), ((9, 0), ())])
def test_an_engine_for_the_gpu_here_is_built_for_it_alone_where_it_is_known(rtx, gpu, targets):
    assert rtx.native(gpu) == targets


@pytest.mark.parametrize(
    ("severity", "text", "level"),
    [
        ("ERROR", "bad", logging.ERROR),
        ("INTERNAL_ERROR", "bad", logging.ERROR),
        ("WARNING", "odd", logging.WARNING),
        ("WARNING", "CUDA lazy loading is not enabled. Enabling it can ...", logging.DEBUG),
        ("INFO", "built", logging.DEBUG),
    ],
)
def test_messages_are_logged_as_grave_as_they_are(messages, caplog, severity, text, level):
    with caplog.at_level(logging.DEBUG, "ast_edge"):
        messages.add(severity, text)
    assert [record.levelno for record in caplog.records] == [level]


def test_the_thousands_of_verbose_messages_are_dropped(messages, caplog):
    with caplog.at_level(logging.DEBUG, "ast_edge"):
        messages.add("VERBOSE", "Parsing node")
    assert caplog.records == []


def test_a_message_of_several_lines_becomes_one(messages, caplog):
    messages.add("ERROR", "one\n  two\n")
    assert caplog.messages == ["TensorRT: one two"]


def test_collected_errors_are_not_logged(messages, caplog):
    with messages.collect() as errors:
        messages.add("ERROR", "bad")
    assert (errors, caplog.records) == (["bad"], [])


def test_after_a_collection_errors_are_logged_again(messages, caplog):
    with messages.collect() as errors:
        pass
    messages.add("ERROR", "bad")
    assert (errors, len(caplog.records)) == ([], 1)


def test_what_the_library_itself_says_arrives(rtx):
    with rtx.messages.collect() as errors:
        builder = rtx.module.Builder(rtx.messages.logger)
        builder.create_builder_config().builder_optimization_level = -1
    assert "builderOptimizationLevel" in errors[0].replace("setB", "b")
