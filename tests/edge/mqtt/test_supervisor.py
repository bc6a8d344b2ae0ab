import json
import logging
import os

import pytest
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber, wait_until
from rigs.broker.supervisor import USER, FakeSupervisor, set_password

from ast_edge.base.errors import ConfigError
from ast_edge.base.secret_values import masked
from ast_edge.base.yaml_file import parse_tree
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.connection import Connection
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.supervisor import BrokerUnknown, ask_for_broker

PASSWORD = "correct horse"
needs_mosquitto = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())


@pytest.fixture
def supervisor(monkeypatch):
    with FakeSupervisor() as fake:
        for key, value in fake.environment.items():
            monkeypatch.setenv(key, value)
        yield fake


@pytest.fixture
def broker(tmp_path):
    rig = Mosquitto(tmp_path, password=True)
    set_password(rig, PASSWORD)
    return rig


def tell(supervisor, **data):
    supervisor.broker = {"host": "core-mosquitto", "port": 1883} | data


def test_the_broker_is_what_the_supervisor_tells_at_that_moment(supervisor):
    tell(supervisor, ssl=True, username="a", password="geheim!", protocol="3.1.1")
    found = ask_for_broker()
    assert (found.host, found.port, found.ssl, found.username) == (
        "core-mosquitto",
        1883,
        True,
        "a",
    )
    tell(supervisor, port=1884)
    assert ask_for_broker().port == 1884


def test_a_proxy_of_the_environment_is_not_asked(supervisor, monkeypatch):
    tell(supervisor)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ask_for_broker().host == "core-mosquitto"


def test_the_password_and_the_token_are_hidden_from_now_on(supervisor):
    tell(supervisor, password="geheim!")
    shown = repr(ask_for_broker())
    assert "geheim!" not in shown
    said = masked(f"what geheim! and {os.environ['SUPERVISOR_TOKEN']} are")
    assert said == "what *** and *** are"


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "mqtt:want"), (403, "mqtt:want"), (400, "Mosquitto broker")]
)
def test_what_the_supervisor_refuses_is_said_with_what_to_do(supervisor, status, hint):
    supervisor.status = status
    with pytest.raises(BrokerUnknown, match=hint):
        ask_for_broker()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"result": "ok"}',
        b'{"data": null}',
        b'{"data": {"host": "", "port": 1883, "password": "geheim!"}}',
        b'{"data": {"host": "a", "port": 0, "password": "geheim!"}}',
        b'{"data": {"host": "a", "port": 1883, "password": ["geheim!"]}}',
        b"[" * 50_000,
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_without_quoting_it(supervisor, answer):
    supervisor.raw = answer
    with pytest.raises(BrokerUnknown, match="names no broker") as caught:
        ask_for_broker()
    assert "geheim" not in str(caught.value)


def test_outside_of_an_app_it_is_said_that_there_is_no_supervisor(monkeypatch):
    monkeypatch.delenv("SUPERVISOR_TOKEN", raising=False)
    with pytest.raises(BrokerUnknown, match="for apps of Home Assistant"):
        ask_for_broker()


@pytest.mark.parametrize("key", ["host", "username", "tls"])
def test_what_the_supervisor_tells_cannot_be_given_as_well(key, tmp_path):
    given = {"supervisor": True, key: {} if key == "tls" else "x"}
    with pytest.raises(ConfigError, match=f"supervisor tells {key}"):
        parse_tree(given, MqttConfig, tmp_path / "a.yaml")


@needs_mosquitto
def test_a_password_that_has_changed_is_asked_for_at_the_next_connection(
    supervisor, broker, short_pauses, caplog
):
    caplog.set_level(logging.INFO)
    supervisor.knows(broker, PASSWORD)
    link = Connection(MqttConfig(supervisor=True), "test-client")
    with broker:
        link.start()
        try:
            assert link.wait_connected(10)
            set_password(broker, "another password")
            broker.restart()
            wait_until(lambda: "refused the user name or password" in link.fault, 20)
            supervisor.knows(broker, "another password")
            assert link.wait_connected(20)
            with Subscriber(broker) as subscriber:
                link.submit(lambda: link.publish(Message("a/b", "x")))
                subscriber.wait_on("a/b")
        finally:
            link.close()
    assert "another password" not in caplog.text
    assert f"user {USER}" in caplog.text


@needs_mosquitto
def test_a_broker_that_is_installed_later_is_found(supervisor, broker, short_pauses):
    link = Connection(MqttConfig(supervisor=True), "test-client")
    link.start()
    try:
        wait_until(lambda: "Home Assistant has no broker yet" in link.fault)
        assert link.address == "of Home Assistant"
        with broker:
            supervisor.knows(broker, PASSWORD)
            assert link.wait_connected(20)
            assert link.address == f"127.0.0.1:{broker.port}"
    finally:
        link.close()


def test_a_supervisor_that_is_away_is_said_once_and_asked_again(
    monkeypatch, supervisor, short_pauses, caplog
):
    monkeypatch.setenv("AST_EDGE_SUPERVISOR", "http://127.0.0.1:1")
    link = Connection(MqttConfig(supervisor=True), "test-client")
    link.start()
    try:
        wait_until(lambda: "the Supervisor does not answer" in link.fault)
        address = supervisor.environment["AST_EDGE_SUPERVISOR"]
        monkeypatch.setenv("AST_EDGE_SUPERVISOR", address)
        wait_until(lambda: "no broker yet" in link.fault)
    finally:
        link.close()
    said = [r.getMessage() for r in caplog.records if "does not answer" in r.getMessage()]
    assert len(said) == 1


def test_what_is_told_is_no_part_of_the_configuration(supervisor):
    config = MqttConfig(supervisor=True)
    tell(supervisor, password="geheim!")
    ask_for_broker()
    assert "geheim" not in json.dumps(config.model_dump(mode="json"))
