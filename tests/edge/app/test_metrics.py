"""The real endpoint of a service that does not run, read as Prometheus reads it."""

import contextlib
import json
import socket
import urllib.error
import urllib.request

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, wait_until

from ast_edge.app.metrics import MetricsServer
from ast_edge.app.plan import load_plan
from ast_edge.app.reload import Reload, Reloaded
from ast_edge.app.report import make_report
from ast_edge.app.service import Service
from ast_edge.audio.stream import Block, Stream
from ast_edge.detection.event import Event
from ast_edge.frontend.listener import Window
from ast_edge.monitoring.config import MetricsConfig

STREAM = Stream("hall", 16000, 1, 0.0, live=True)
BLOCK = Block(STREAM, 0, np.tile(np.float32([[0.5], [-0.5]]), (8000, 1)))
WINDOW = Window(STREAM, 0.0, 1.0, hop=0.5, heard=1.0, fbank=np.zeros((1, 1)))


class Engine:
    name = "numpy"
    description = "NumPy, 1 thread"


@pytest.fixture
def load(tmp_path, tiny_model):
    def load(**more):
        sources = {"hall": {"microphone": "x"}, "attic": {"microphone": "y"}}
        tree = {"node": "attic", "sources": sources, "bundle": str(tiny_model)} | more
        (tmp_path / "c.yaml").write_text(json.dumps(tree))
        plan = load_plan(tmp_path / "c.yaml")
        return Service(plan, {bundle.folder: Engine() for bundle in plan.bundles})

    return load


@pytest.fixture
def service(load):
    return load()


@pytest.fixture
def reload(tmp_path):
    return Reload(tmp_path / "c.yaml")


def serve(service, reload, listen="127.0.0.1:0"):
    return MetricsServer(MetricsConfig(listen=listen), lambda: make_report(service, reload))


def scrape(service, reload, path="/metrics"):
    """Return all samples: values by name and labels."""
    with contextlib.closing(serve(service, reload)) as server:
        url = f"http://127.0.0.1:{server.port}{path}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            text = answer.read().decode()
    return {
        (sample.name.removeprefix("ast_edge_"), *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


HALL, ATTIC = ("source", "hall"), ("source", "attic")
BUNDLE = ("bundle", "bands")


def test_sound_windows_and_events_are_told_by_source(service, reload):
    hum = service.plan.bundles[0].labels[0]
    service.monitor.heard(BLOCK)
    service.monitor.heard(BLOCK)
    service.monitor.scored([WINDOW], 0.04, 0)
    service.daemon.dropped["hall"] += 3
    service.monitor.publish(Event("1", "start", "hall", hum, 0.0, 1.0, 0.9, 0.9, "home"))
    found = scrape(service, reload)
    assert found["audio_seconds_total", HALL] == 2
    assert found["audio_seconds_total", ATTIC] == 0
    assert found["audio_gaps_total", HALL] == 0
    assert found["source_up", HALL] == 1
    assert found["source_up", ATTIC] == 0
    assert found["source_level_dbfs", HALL] == pytest.approx(-6, abs=0.1)
    assert found["windows_total", HALL] == 1
    assert found["windows_dropped_total", HALL] == 3
    assert found["events_total", ("label", "hum"), HALL] == 1
    assert found["real_time_factor",] == pytest.approx(0.08)


def test_what_is_no_sound_and_no_probability_is_counted(service, reload):
    service.monitor.heard(Block(STREAM, 0, np.float32([[np.nan], [1e20], [0.5]])))
    service.daemon.unusable["bands"] += 2
    found = scrape(service, reload)
    assert found["bad_samples_total", HALL] == 2
    assert found["windows_unusable_total", BUNDLE] == 2


def test_times_are_told_as_histograms(service, reload):
    for seconds in (0.04, 0.3, 100.0):
        service.monitor.scored([WINDOW], seconds, 0)
    found = scrape(service, reload)
    counts = [
        found["inference_seconds_bucket", BUNDLE, ("le", limit)]
        for limit in ("0.025", "0.05", "0.25", "0.5", "10.0", "+Inf")
    ]
    assert counts == [0, 1, 1, 2, 2, 3]
    assert found["inference_seconds_count", BUNDLE] == 3
    assert found["inference_seconds_sum", BUNDLE] == pytest.approx(100.34)
    assert found["event_latency_seconds_count",] == 0


def test_the_process_is_told(service, reload):
    found = scrape(service, reload)
    (info,) = [key for key in found if key[0] == "info"]
    assert {("node", "attic"), ("bundle", "bands"), ("engine", "numpy")} < set(info[1:])
    assert found["resident_memory_bytes",] > 10_000_000
    assert found["start_time_seconds",] == pytest.approx(service.started.read())


def test_a_refused_reload_is_told(service, reload):
    assert scrape(service, reload)["config_reload_successful",] == 1
    reload.newest = Reloaded(1.0, "no")
    assert scrape(service, reload)["config_reload_successful",] == 0


@pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())
def test_the_broker_is_told(load, reload, tmp_path):
    with Mosquitto(tmp_path) as broker:
        service = load(mqtt={"host": "127.0.0.1", "port": broker.port})
        with contextlib.closing(service):
            node = service.open_node(service.plan.config.mqtt)
            assert node.publisher.wait_connected(20)
            before = scrape(service, reload)
            broker.kill()
            wait_until(lambda: not node.publisher.connected)
            hum = service.plan.bundles[0].labels[0]
            node.publisher.publish(Event("1", "start", "hall", hum, 0.0, 1.0, 0.9, 0.9, "home"))
            after = scrape(service, reload)
    names = ("mqtt_connected", "mqtt_reconnects_total", "outbox_events", "mqtt_events_lost_total")
    assert [before[name,] for name in names] == [1, 0, 0, 0]
    assert [after[name,] for name in names] == [0, 0, 1, 0]


def test_without_a_broker_nothing_is_told_of_it(service, reload):
    assert not [key for key in scrape(service, reload) if "mqtt" in key[0] or "outbox" in key[0]]


def test_a_source_that_goes_is_told_no_more(service, reload):
    service.monitor.follow({"hall": "bands"})
    assert not [key for key in scrape(service, reload) if ATTIC in key]


def test_an_address_that_is_taken_is_one_line_in_the_log(service, reload, caplog):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        serve(service, reload, address).close()
    (line,) = caplog.messages
    assert f"cannot listen on {address}: Address already in use" in line


def test_nobody_can_connect_after_close(service, reload):
    server = serve(service, reload)
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_a_scrape_that_stumbles_over_a_fault_of_ours_is_not_the_last(
    service, reload, monkeypatch, capfd
):
    read, faults = service.monitor.read, [ValueError("oh"), ValueError("oh")]

    def broken():
        if faults:
            raise faults.pop()
        return read()

    monkeypatch.setattr(service.monitor, "read", broken)
    with contextlib.closing(serve(service, reload)) as server:
        url = f"http://127.0.0.1:{server.port}/metrics"
        for _ in range(2):
            with pytest.raises(urllib.error.HTTPError, match="500"):
                urllib.request.urlopen(url, timeout=20)
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert b"ast_edge_info" in answer.read()
    assert "ValueError: oh" in capfd.readouterr().err


def test_each_source_is_told_with_its_bundle_and_each_bundle_with_its_times(
    load, reload, other_model
):
    attic = {"microphone": "y", "bundle": str(other_model)}
    service = load(sources={"hall": {"microphone": "x"}, "attic": attic})
    service.monitor.scored([WINDOW], 0.04, 0)
    found = scrape(service, reload)
    other = ("bundle", "other")
    assert found["source_info", BUNDLE, HALL] == found["source_info", other, ATTIC] == 1
    assert found["inference_seconds_count", BUNDLE] == 1
    assert found["inference_seconds_count", other] == 0
    (info,) = [key for key in found if key[0] == "info"]
    assert ("bundle", "bands, other") in info
