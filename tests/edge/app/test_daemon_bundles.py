"""The daemon with sources of different bundles, whose scores are known."""

import numpy as np
import pytest

from ast_edge.app.daemon import Daemon
from ast_edge.base.errors import EngineError
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.engine import Scores
from ast_edge.model.bundle import load_bundle

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.daemon_parts import ListSink, ListSource, NumpyEngine
from rigs.model import tone

HOP = 0.1


@pytest.fixture
def two(tiny_model, other_model):
    """A daemon whose source "a" is listened to with one bundle, and "b" with another."""
    bundle, other = load_bundle(tiny_model), load_bundle(other_model)

    def two(first, second, seconds=1.5):
        sources = [ListSource(name, tone("Hum", seconds)) for name in "ab"]
        of = {"a": bundle, "b": other}
        pipelines = {
            name: Pipeline(name, Hearing(one, one.settings, HOP)) for name, one in of.items()
        }
        engines = {bundle.folder: first, other.folder: second}
        daemon = Daemon(sources, pipelines, engines, [sink := ListSink()])
        daemon.sink = sink
        return daemon

    return two


def test_each_source_is_heard_by_the_engine_and_in_the_words_of_its_own_bundle(two):
    first, second = NumpyEngine(), NumpyEngine()
    daemon = two(first, second)
    daemon.run()
    assert daemon.sink.lives("a") == [("start", "Hum"), ("end", "Hum")]
    assert daemon.sink.lives("b") == [("start", "Buzz"), ("end", "Buzz")]
    assert {(e.source, e.bundle) for e in daemon.sink.events} == {("a", "bands"), ("b", "other")}
    assert len(first.seen) == len(second.seen) > 0


def test_of_several_engines_the_bundle_of_the_one_that_fails_is_told(two):
    def fail():
        raise EngineError("out of memory")

    with pytest.raises(EngineError, match=r"^bundle 'other': out of memory"):
        two(NumpyEngine(), NumpyEngine(fail)).run()


class NoEngine(NumpyEngine):
    def run(self, fbank):
        return Scores(np.full((len(fbank), 2), np.nan, np.float32))


def test_of_several_engines_the_bundle_of_the_one_without_probabilities_is_told(two, caplog):
    daemon = two(NoEngine(), NumpyEngine())
    daemon.run()
    assert "the engine's scores for 'bands' are no probabilities" in caplog.text
    assert list(daemon.unusable.elements()).count("other") == 0
    assert daemon.sink.lives("b")
