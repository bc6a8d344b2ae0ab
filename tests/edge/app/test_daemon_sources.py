"""Sources that come and go while the daemon runs."""

import pytest

from ast_edge.app.daemon import Daemon
from ast_edge.audio.health import OK, Health
from ast_edge.base.errors import AudioError
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.model.bundle import load_bundle

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.daemon_parts import ListSink, ListSource, NumpyEngine, Running
from rigs.model import silence, tone
from rigs.mosquitto import wait_until

HOP = 0.1


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


@pytest.fixture
def make(bundle):
    """Make a daemon for sources, with one sink as its attribute `sink`."""

    def make(*sources, observers=()):
        pipelines = {
            s.name: Pipeline(s.name, Hearing(bundle, bundle.settings, HOP)) for s in sources
        }
        sink = ListSink()
        daemon = Daemon(
            sources, pipelines, {bundle.folder: NumpyEngine()}, [sink], observers=observers
        )
        daemon.sink = sink
        return daemon

    return make


def test_a_source_that_is_added_is_heard_beside_the_first(make, bundle):
    daemon = make(ListSource("a", tone("Hum", 1), endless=True))
    added = ListSource("b", tone("Hiss", 1), endless=True)
    pipeline = Pipeline("b", Hearing(bundle, bundle.settings, HOP))
    with Running(daemon):
        daemon.perform(lambda: daemon.add(added, pipeline) or [])
        wait_until(lambda: ("start", "Hiss") in daemon.sink.lives("b"))
        wait_until(lambda: ("start", "Hum") in daemon.sink.lives("a"))


def test_a_source_that_is_removed_is_closed_and_its_events_end(make):
    first, second = (ListSource(name, tone("Hum", 2), endless=True) for name in "ab")
    daemon = make(first, second)
    with Running(daemon):
        wait_until(lambda: daemon.sink.lives("a") and daemon.sink.lives("b"))
        daemon.perform(lambda: daemon.remove("a"))
        assert first.closed.is_set()
        assert daemon.sink.lives("a") == [("start", "Hum"), ("end", "Hum")]
        assert daemon.sink.lives("b") == [("start", "Hum")]


def test_a_source_takes_the_place_of_one_that_has_failed_and_its_error(make, bundle):
    notes = Notes()
    failing = ListSource("a", silence(1), error=AudioError("gone"))
    daemon = make(failing, ListSource("b", silence(1), endless=True), observers=[notes])
    better = ListSource("a", tone("Hum", 1), endless=True)
    pipeline = Pipeline("a", Hearing(bundle, bundle.settings, HOP))
    with Running(daemon):  # an error of `run` would fail the test
        wait_until(lambda: notes.told)
        daemon.perform(lambda: daemon.remove("a") + (daemon.add(better, pipeline) or []))
        wait_until(lambda: daemon.sink.lives("a") == [("start", "Hum")])


def test_an_action_of_a_daemon_that_has_ended_is_not_performed(make):
    daemon = make()
    daemon.run()
    assert not daemon.perform(list)


def test_of_a_source_that_has_ended_no_health_is_told(make):
    notes, short = Notes(), ListSource("a", silence(1))
    short.health = OK
    daemon = make(short, ListSource("b", silence(1), endless=True), observers=[notes])
    with Running(daemon):
        wait_until(lambda: notes.told == [("ended", "a", None)])
        short.health = Health("ok", "its sound ends at 4 kHz")
        for _ in range(2):
            assert daemon.perform(list)
    assert ("health", "a", short.health) not in notes.told


class Notes:
    """An observer that notes how sources are."""

    def __init__(self):
        self.told = []

    def heard(self, block):
        pass

    def silent(self, source):
        pass

    def health(self, source, health):
        self.told.append(("health", source, health))

    def ended(self, source, error):
        self.told.append(("ended", source, error))

    def scored(self, windows, seconds, dropped):
        pass
