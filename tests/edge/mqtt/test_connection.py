import gc
import logging
import socket
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path

import pytest
from rigs.broker import mosquitto
from rigs.broker.fake_broker import FakeBroker, publish_packet
from rigs.broker.mosquitto import Mosquitto, wait_until
from rigs.ports import free_port

from ast_edge.base.errors import ConfigError
from ast_edge.mqtt import connection
from ast_edge.mqtt.config import MqttConfig, TlsConfig
from ast_edge.mqtt.connection import Connection, retry_pause

# paho leaves the socket of a failed handshake to the garbage collector.
failed_handshakes = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
needs_mosquitto = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())


@pytest.fixture
def faults(caplog):
    """Return a function that connects until it has failed twice and gives what was logged."""

    def faults_of(config: MqttConfig) -> list[str]:
        attempts = []
        link = Connection(config, "test-client")
        connect = link._connect
        link._connect = lambda: (attempts.append(1), connect())
        caplog.set_level(logging.INFO)
        link.start()
        wait_until(lambda: len(attempts) >= 3)
        link.close()
        return [record.getMessage() for record in caplog.records]

    return faults_of


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(connection, "retry_pause", lambda failures: 0.05)


@pytest.mark.parametrize("failures", [0, 1, 5, 1000])
def test_a_pause_is_never_shorter_than_a_second_nor_longer_than_half_a_minute(failures):
    assert 1.0 <= retry_pause(failures) <= 30.0


def test_pauses_grow_and_differ():
    assert max(retry_pause(0) for _ in range(100)) <= 2.0
    assert len({retry_pause(6) for _ in range(100)}) > 90
    assert max(retry_pause(6) for _ in range(100)) > 15.0


def test_a_broker_that_hangs_up_is_called_at_most_once_a_second(monkeypatch):
    monkeypatch.setattr(connection, "retry_pause", retry_pause)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20.0)
        link = Connection(MqttConfig(host="127.0.0.1", port=server.getsockname()[1]), "test-client")
        link.start()
        calls = []
        for _ in range(3):
            server.accept()[0].close()
            calls.append(time.monotonic())
        link.close()
    assert all(later - earlier >= 0.99 for earlier, later in pairwise(calls))


def test_a_broker_that_is_not_ready_yet_is_waited_for():
    answers = iter([0x88, 0x89, 0])
    with FakeBroker(greet=lambda will: next(answers)) as fake:
        link = Connection(MqttConfig(host="127.0.0.1", port=fake.port), "test-client")
        link.start()
        let_in = link.wait_judged(20.0)
        link.close()
    assert let_in


def test_a_broker_that_is_not_there_is_said_once(faults):
    port = free_port()
    assert faults(MqttConfig(host="127.0.0.1", port=port)) == [
        f"MQTT 127.0.0.1:{port}: connection refused: no broker listens there; trying again"
    ]


@pytest.fixture
def descriptors():
    """Return a function that counts those of this process; no collector tidies up meanwhile."""
    gc.collect()
    gc.disable()
    yield lambda: len(list(Path("/proc/self/fd").iterdir()))
    gc.enable()


@needs_mosquitto
def test_a_connection_that_is_closed_leaves_no_descriptor(broker, descriptors):
    before = descriptors()
    for _ in range(3):
        link = Connection(MqttConfig(host="127.0.0.1", port=broker.port), "test-client")
        link.start()
        assert link.wait_connected(10.0)
        link.submit(partial(link.submit_later, 1000.0, list))  # what is never done knows its client
        link.close(10.0)
    assert descriptors() == before


def test_a_name_that_nobody_knows_is_said_once(faults):
    (line,) = faults(MqttConfig(host="broker.invalid"))
    assert "the host name 'broker.invalid' cannot be resolved" in line


@pytest.mark.parametrize("host", ["", "a..b", "x" * 64])
def test_what_cannot_be_a_host_name_is_a_configuration_error(host):
    with pytest.raises(ConfigError, match="expected a host name or address"):
        Connection(MqttConfig(host=host), "test-client")


@needs_mosquitto
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_is_said_once_and_never_shown(faults, tmp_path, caplog, protocol):
    (tmp_path / "password").write_text("wrong-secret\n")
    caplog.set_level(logging.DEBUG, "ast_edge")
    with Mosquitto(tmp_path, password=True) as broker:
        config = MqttConfig(
            host="127.0.0.1",
            port=broker.port,
            protocol=protocol,
            username="daemon",
            password_file=tmp_path / "password",
        )
        lines = faults(config)
    assert lines == [
        f"MQTT 127.0.0.1:{broker.port}: the broker refused the user name or password: "
        "Not authorized (user daemon); trying again"
    ]
    assert "wrong-secret" not in caplog.text + broker.log() + repr(config)


@needs_mosquitto
def test_a_missing_password_is_said_once(faults, tmp_path):
    with Mosquitto(tmp_path, password=True) as broker:
        (line,) = faults(MqttConfig(host="127.0.0.1", port=broker.port))
    assert "the broker wants a user name and password" in line


@needs_mosquitto
def test_an_authority_of_our_own_is_enough_for_tls(tmp_path):
    with Mosquitto(tmp_path, tls=True) as broker:
        config = MqttConfig(host="localhost", port=broker.port, tls=TlsConfig(ca=broker.ca))
        link = Connection(config, "test-client")
        link.start()
        assert link.wait_connected(10.0)
        link.close()


@needs_mosquitto
@failed_handshakes
def test_an_unknown_authority_is_said_once(faults, tmp_path):
    with Mosquitto(tmp_path, tls=True) as broker:
        (line,) = faults(MqttConfig(host="localhost", port=broker.port, tls=TlsConfig()))
    assert "the broker's certificate is not trusted:" in line


@needs_mosquitto
@failed_handshakes
def test_a_certificate_for_another_name_is_said_once(faults, tmp_path):
    with Mosquitto(tmp_path, tls=True) as broker:
        tls = TlsConfig(ca=broker.ca)
        (line,) = faults(MqttConfig(host="127.0.0.1", port=broker.port, tls=tls))
    assert "the broker's certificate is not trusted: IP address mismatch" in line


@needs_mosquitto
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_websockets_to_a_port_without_are_said_once(faults, tmp_path):
    with Mosquitto(tmp_path) as broker:
        config = MqttConfig(host="127.0.0.1", port=broker.port, transport="websockets")
        (line,) = faults(config)
    assert "no websocket: does the broker take websockets at this port" in line


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_path_without_a_websocket_is_said_once(faults):
    class Web(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]
        config = MqttConfig(host="127.0.0.1", port=port, transport="websockets", path="/nowhere")
        lines = faults(config)
        server.shutdown()
        thread.join()
    assert "is mqtt.path right?" in lines[0]
    assert len(lines) == 1


@needs_mosquitto
def test_no_websockets_to_a_port_of_theirs_is_said_once(faults, tmp_path):
    with Mosquitto(tmp_path, websockets=True) as broker:
        (line,) = faults(MqttConfig(host="127.0.0.1", port=broker.websockets_port))
    assert "hung up without an answer: wrong port, protocol, transport" in line


@needs_mosquitto
@failed_handshakes
def test_tls_to_a_plain_port_is_said_once(faults, tmp_path):
    with Mosquitto(tmp_path) as broker:
        (line,) = faults(MqttConfig(host="127.0.0.1", port=broker.port, tls=TlsConfig()))
    assert "no TLS connection" in line


@needs_mosquitto
def test_no_tls_to_a_tls_port_is_said_once(faults, tmp_path):
    with Mosquitto(tmp_path, tls=True) as broker:
        (line,) = faults(MqttConfig(host="127.0.0.1", port=broker.port))
    assert "hung up without an answer: wrong port, protocol, transport or TLS setting?" in line


@needs_mosquitto
@failed_handshakes
def test_a_missing_client_certificate_is_said_once(faults, tmp_path):
    with Mosquitto(tmp_path, certificates=True) as broker:
        tls = TlsConfig(ca=broker.ca)
        (line,) = faults(MqttConfig(host="localhost", port=broker.port, tls=tls))
    assert "mqtt.tls.certificate" in line


@needs_mosquitto
@failed_handshakes
def test_a_client_certificate_of_another_authority_is_said_once(faults, tmp_path):
    (tmp_path / "other").mkdir()
    mosquitto.make_authority(tmp_path / "other")
    with Mosquitto(tmp_path, certificates=True) as broker:
        other = {"certificate": tmp_path / "other/client.crt", "key": tmp_path / "other/client.key"}
        tls = TlsConfig(ca=broker.ca, **other)
        (line,) = faults(MqttConfig(host="localhost", port=broker.port, tls=tls))
    assert "mqtt.tls.certificate" in line


@needs_mosquitto
def test_a_broker_that_is_restarted_is_not_taken_for_a_second_client(tmp_path, caplog):
    with Mosquitto(tmp_path) as broker:
        link = Connection(MqttConfig(host="127.0.0.1", port=broker.port), "test-client")
        link.start()
        for number in range(4):
            wait_until(lambda number=number: link.connections > number and link.connected)
            broker.stop()
            wait_until(lambda: "connection refused" in link.fault)
            broker.start()
        link.close()
    assert "second machine" not in caplog.text


@needs_mosquitto
def test_a_second_client_of_the_same_name_is_explained(tmp_path, caplog):
    with Mosquitto(tmp_path) as broker:
        config = MqttConfig(host="127.0.0.1", port=broker.port)
        first, second = Connection(config, "twin"), Connection(config, "twin")
        first.start()
        assert first.wait_connected(10.0)
        second.start()
        wait_until(lambda: "does a second machine have the same node?" in caplog.text)
        first.close()
        second.close()


@needs_mosquitto
def test_closing_while_the_broker_is_frozen_returns(tmp_path):
    with Mosquitto(tmp_path) as broker:
        link = Connection(MqttConfig(host="127.0.0.1", port=broker.port), "test-client")
        link.start()
        assert link.wait_connected(10.0)
        broker.freeze()
        link.close(timeout=10.0)
        assert not link._mailbox._thread.is_alive()


@pytest.fixture
def fake():
    with FakeBroker() as fake:
        yield fake


@pytest.fixture
def link_to():
    """Return a function that connects to a broker; connections left open are closed."""
    links = []

    def link_to(broker, **callbacks):
        config = MqttConfig(host="127.0.0.1", port=broker.port)
        links.append(Connection(config, "test", **callbacks))
        links[-1].start()
        assert links[-1].wait_connected(10.0)
        return links[-1]

    yield link_to
    for link in links:
        link.close()


def test_a_fault_of_ours_is_logged_once_and_the_connection_made_anew(fake, link_to, caplog):
    link = link_to(fake)
    for count in (2, 3):
        link.submit(lambda: 1 / 0)
        wait_until(lambda count=count: link.connections == count and link.connected)
    assert [r.exc_info[0] for r in caplog.records if r.exc_info] == [ZeroDivisionError]


def test_a_fault_while_the_broker_is_greeted_lets_it_be_greeted_again(fake, link_to):
    greeted = []

    def greet():
        greeted.append(1)
        assert len(greeted) > 2

    link = link_to(fake, on_up=greet)
    wait_until(lambda: len(greeted) == 3 and link.connected)


def test_a_fault_while_there_is_no_connection_does_not_keep_it_from_being_made(monkeypatch):
    with FakeBroker() as fake:
        link = Connection(MqttConfig(host="127.0.0.1", port=fake.port), "test")
        attempts, connect = [], link._connect
        monkeypatch.setattr(link, "_connect", lambda: attempts.append(1) or connect())
        link.submit(lambda: 1 / 0)  # before the first attempt
        link.start()
        assert link.wait_connected(10.0)
        link.submit(lambda: 1 / 0)
        wait_until(lambda: link.connections == 2)
        link.close()


def test_a_connection_that_cannot_even_be_begun_is_tried_again(fake, monkeypatch):
    link = Connection(MqttConfig(host="127.0.0.1", port=fake.port), "test")
    make, failed = link._access.client, []

    def client(*args):
        if not failed:
            failed.append(1)
            raise RuntimeError("can't start new thread")
        return make(*args)

    monkeypatch.setattr(link._access, "client", client)
    link.start()
    assert link.wait_connected(10.0)
    link.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x30\x06\x00\x01a\x02\x7f\x00",  # a property that there is not
        b"\x40\x01\x05",  # an acknowledgement of one byte
        b"\x90\x03\x00\x01\x00",  # an answer to a subscription without an answer
        b"\x30\x03\x00\x09a",  # a topic that is longer than its packet
        b"\xff\xff\xff\xff\xff\xff",
    ],
    ids=["property", "puback", "suback", "length", "noise"],
)
def test_a_broker_that_sends_nonsense_is_left_and_found_again(fake, link_to, nonsense, caplog):
    link = link_to(fake)
    fake.send(nonsense)
    wait_until(lambda: link.connections == 2 and link.connected)
    assert "the broker has sent something that is no MQTT" in caplog.text


def test_a_topic_that_is_no_utf_8_is_left_out(fake, link_to, caplog):
    heard = []
    link_to(fake, on_message=lambda topic, payload, _: heard.append((topic, payload)))
    fake.send(publish_packet(b"a/\xff"))
    fake.send(publish_packet(b"a/b", b"fine"))
    wait_until(lambda: heard)
    assert heard == [("a/b", b"fine")]
    assert fake.connections == 1
    assert "a topic that is no UTF-8" in caplog.text


def test_an_answer_to_what_was_never_asked_does_no_harm(fake, link_to):
    answered = []
    link = link_to(fake, on_subscribed=lambda *answer: answered.append(answer))
    fake.send(b"\x90\x04\x99\x99\x00\x01")
    link.submit(lambda: link.subscribe("a/b"))
    wait_until(lambda: answered)
    assert answered == [("a/b", None)]
    assert fake.connections == 1
