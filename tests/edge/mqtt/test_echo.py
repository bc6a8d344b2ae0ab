import io
import json

import pytest
from rich.console import Console
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto
from rigs.broker.sink import started

from ast_edge.base.errors import BrokerError
from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.echo import Echo, event_line
from ast_edge.outputs.payload import event_payload

needs_mosquitto = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

ALARM = Label(0, "Smoke detector, smoke alarm", "/m/01y3hg")


def event(phase, label=ALARM, onset=2.1):
    return Event("a", phase, "mic", label, onset, onset + 3.3, 0.8, 0.97, "home")


def line(phase, **options):
    return event_line(event_payload(event(phase, **options), node="attic")).plain


def test_a_start_has_time_source_label_and_peak():
    assert line("start") == "    +2.1 s  mic  Smoke detector, smoke alarm     start  peak 0.97"


def test_an_end_has_its_own_time_and_the_duration():
    expected = "    +5.4 s  mic  Smoke detector, smoke alarm     end    peak 0.97  lasted 3.3 s"
    assert line("end") == expected


def test_what_a_broker_passes_on_moves_no_cursor():
    label = Label(0, "\x1b]0;owned\x07\x1b[31mDog", "")
    assert r"\x1b]0;owned\x07\x1b[31mDog" in line("start", label=label)
    assert "\x1b" not in line("start", label=label)


def test_a_long_label_keeps_the_columns():
    long = Label(0, "Vehicle horn, car horn, honking and much more", "")
    assert line("start", label=long).index("start") == line("start").index("start")


def test_a_live_event_shows_the_time_of_day(monkeypatch):
    time = pytest.importorskip("time")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert line("start", onset=1700000000.1).split()[0] == "22:13:20.1"


@pytest.fixture
def printed():
    return io.StringIO()


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path) as broker:
        yield broker


@needs_mosquitto
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_the_broker_delivers_is_printed(broker, printed, protocol):
    config = MqttConfig(host="127.0.0.1", port=broker.port, protocol=protocol)
    echo = Echo(config, Console(file=printed, width=40), node="attic")
    echo.wait_ready()
    sink = started(config)
    for phase in ("start", "update", "end"):
        sink.publish(event(phase))
    sink.close()
    assert echo.wait_for(sink.acknowledged)
    echo.close()
    assert printed.getvalue().splitlines() == [line("start"), line("end")]


@needs_mosquitto
def test_a_message_that_is_no_event_is_reported_and_skipped(broker, printed, caplog):
    config = MqttConfig(host="127.0.0.1", port=broker.port)
    echo = Echo(config, Console(file=printed))
    echo.wait_ready()
    for payload in ("hello", "[]", "{}", json.dumps({"type": "start", "source": 3})):
        broker.publish("ast-edge/attic/mic/event", payload)
    assert echo.wait_for(4)
    echo.close()
    assert printed.getvalue() == ""
    assert len(caplog.records) == 4


@needs_mosquitto
def test_without_a_broker_waiting_says_why(tmp_path, printed):
    broker = Mosquitto(tmp_path)
    echo = Echo(MqttConfig(host="127.0.0.1", port=broker.port), Console(file=printed))
    with pytest.raises(BrokerError, match="connection refused: no broker listens there"):
        echo.wait_ready(timeout=1.0)
    echo.close()
