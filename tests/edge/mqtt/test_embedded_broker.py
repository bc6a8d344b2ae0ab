import io
import logging
import socket
import sys

import pytest
from rich.console import Console
from rigs.broker.sink import started
from rigs.ports import free_port

from ast_edge.base.errors import BrokerError
from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.echo import Echo
from ast_edge.mqtt.embedded_broker import EmbeddedBroker


def event(phase):
    return Event("a", phase, "mic", Label(0, "Dog", ""), 2.0, 5.0, 0.8, 0.9, "home")


def test_events_go_through_it_and_come_back(capfd, caplog):
    pytest.importorskip("amqtt")
    printed = io.StringIO()
    with EmbeddedBroker() as broker:
        config = broker.client_config(MqttConfig(username="someone"))
        echo = Echo(config, Console(file=printed), node="attic")
        echo.wait_ready()
        sink = started(config, [("mic", event("start").label)])
        sink.publish(event("start"))
        sink.publish(event("end"))
        sink.close()
        assert echo.wait_for(sink.acknowledged)
        echo.close()
    assert sink.acknowledged == 2
    assert [text.split()[3] for text in printed.getvalue().splitlines()] == ["Dog", "Dog"]
    assert capfd.readouterr() == ("", "")
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_who_connects_to_it_needs_no_user_and_no_password():
    config = MqttConfig(embedded=True, username="me", password="x", tls={})
    here = EmbeddedBroker(1).client_config(config)
    assert (here.username, here.password, here.password_file, here.tls) == (None,) * 4


def test_it_listens_on_the_loopback_interface_only():
    pytest.importorskip("amqtt")
    with EmbeddedBroker() as broker, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", broker.port), 5)


def test_a_client_that_dies_says_nothing_on_the_terminal(capfd, caplog):
    pytest.importorskip("amqtt")
    with EmbeddedBroker() as broker:
        for packet in (
            b"",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x1e\x00\x00",
        ):
            with socket.create_connection(("127.0.0.1", broker.port), 5) as client:
                client.sendall(packet)
    assert capfd.readouterr() == ("", "")
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_leaving_the_context_frees_the_port():
    pytest.importorskip("amqtt")
    with EmbeddedBroker(free_port()) as first:
        pass
    with EmbeddedBroker(first.port) as second:
        assert second.port == first.port


def test_a_port_in_use_is_one_clear_error():
    pytest.importorskip("amqtt")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError, match=f"cannot listen on 127.0.0.1:{port}"):
            EmbeddedBroker(port).__enter__()


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "amqtt.broker", None)
    with pytest.raises(BrokerError, match=r"pip install 'ast-edge\[demo\]'"):
        EmbeddedBroker().__enter__()
