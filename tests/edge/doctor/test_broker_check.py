"""The part of `doctor` that is about the broker, at real ones."""

import pytest
import yaml
from rigs.broker import mosquitto
from rigs.broker.fake_broker import FakeBroker

from ast_edge.app.plan import load_plan
from ast_edge.doctor import broker_check
from ast_edge.doctor.broker_check import check_broker

needs_mosquitto = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())


@pytest.fixture
def config(tiny_model, tmp_path):
    """Return a function that loads a plan with this section."""

    def config(mqtt):
        tree = {
            "node": "attic",
            "bundle": str(tiny_model),
            "sources": {"kitchen": {"microphone": "usb"}},
            "mqtt": mqtt,
        }
        path = tmp_path / "mic.yaml"
        path.write_text(yaml.safe_dump(tree))
        return load_plan(path)

    return config


def findings(plan):
    return {finding.step: finding for finding in check_broker(plan.config.mqtt, plan)}


@needs_mosquitto
def test_a_message_goes_through_the_broker_and_back(config, tmp_path):
    with mosquitto.Mosquitto(tmp_path) as broker:
        found = findings(config(mqtt={"host": "127.0.0.1", "port": broker.port}))
    assert found["broker"].well
    assert found["round trip"].text.startswith("ast-edge/attic/doctor: ")
    assert found["round trip"].well
    assert found["discovery"].well
    assert "broker limits" not in found


def test_a_broker_that_is_not_there_is_said(config):
    found = findings(config(mqtt={"host": "127.0.0.1", "port": 1}))
    assert "connection refused" in found["broker"].text
    assert "round trip" not in found


@needs_mosquitto
def test_a_wrong_password_is_said(config, tmp_path, monkeypatch):
    monkeypatch.setenv("AST_EDGE_MQTT_PASSWORD", "wrong")
    with mosquitto.Mosquitto(tmp_path, password=True) as broker:
        found = findings(
            config(mqtt={"host": "127.0.0.1", "port": broker.port, "username": mosquitto.USER})
        )
    assert not found["broker"].well
    assert "password" in found["broker"].text
    assert "wrong" not in found["broker"].text


@pytest.mark.parametrize("reason", [0x86, 0x87, 0x8A])
def test_a_refusal_that_stays_is_not_asked_for_again(config, reason):
    with FakeBroker(greet=lambda will: reason) as fake:
        found = findings(config(at(fake)))
        assert fake.connections == 1
    assert not found["broker"].well
    assert "the broker" in found["broker"].text


@needs_mosquitto
def test_a_topic_that_is_forbidden_is_said(config, tmp_path, monkeypatch):
    monkeypatch.setenv("AST_EDGE_MQTT_PASSWORD", mosquitto.PASSWORD)
    settings = {"username": mosquitto.USER, "base_topic": "forbidden"}
    with mosquitto.Mosquitto(tmp_path, password=True) as broker:
        found = findings(config(mqtt={"host": "127.0.0.1", "port": broker.port} | settings))
    assert found["broker"].well
    assert "ublish" in found["round trip"].text
    assert "forbidden/attic/#" in found["round trip"].remedy


def test_the_embedded_broker_is_not_started(config):
    found = findings(config(mqtt={"embedded": True}))
    assert list(found)[-1] == "broker"
    assert found["broker"].well


def at(broker, **more):
    return {"host": "127.0.0.1", "port": broker.port} | more


@needs_mosquitto
def test_the_largest_message_of_the_daemon_goes_through_and_back(config, tmp_path):
    with mosquitto.Mosquitto(tmp_path) as broker:
        found = findings(config(at(broker)))
    assert int(found["round trip"].text.split()[-2]) > 3000


@needs_mosquitto
def test_a_broker_that_keeps_nothing_is_said(config, tmp_path):
    with mosquitto.Mosquitto(tmp_path, options=["retain_available false"]) as broker:
        found = findings(config(at(broker)))
    assert "it keeps no retained messages" in found["broker limits"].text
    assert "let it keep them" in found["broker limits"].remedy
    assert found["round trip"].well


@needs_mosquitto
def test_a_broker_of_small_packets_is_said(config, tmp_path):
    with mosquitto.Mosquitto(tmp_path, options=["max_packet_size 1500"]) as broker:
        found = findings(config(at(broker)))
    assert "one for each entity" in found["discovery"].text
    assert found["discovery"].well
    assert found["round trip"].well


@needs_mosquitto
def test_a_broker_of_packets_that_are_too_small_is_said(config, tmp_path):
    with mosquitto.Mosquitto(tmp_path, options=["max_packet_size 500"]) as broker:
        found = findings(config(at(broker)))
    assert "too large for the broker and left out" in found["discovery"].text
    assert not found["discovery"].well


@needs_mosquitto
def test_a_prefix_that_may_not_be_written_to_is_said(config, tmp_path, monkeypatch):
    monkeypatch.setenv("AST_EDGE_MQTT_PASSWORD", mosquitto.PASSWORD)
    more = {"username": mosquitto.USER, "home_assistant": {"prefix": "forbidden/ha"}}
    with mosquitto.Mosquitto(tmp_path, password=True) as broker:
        found = findings(config(at(broker, **more)))
    assert not found["discovery"].well
    assert "forbidden/ha/#" in found["discovery"].remedy
    assert found["round trip"].well


def test_its_will_is_of_the_daemons_kind(config, monkeypatch):
    monkeypatch.setattr(broker_check, "ANSWER_SECONDS", 1.0)  # this broker passes nothing on
    with FakeBroker() as fake:
        findings(config(at(fake)))
        assert [(will.qos, will.retain) for will in fake.wills] == [(1, True)]
