"""What packaging/fleet holds does what docs/fleet.md says, as far as that can be tried here."""

import json
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest
import yaml
from rigs.broker import mosquitto
from rigs.broker.fleet import say
from rigs.broker.mosquitto import Mosquitto, Subscriber, retained, wait_until
from rigs.ports import free_port

from ast_edge.fleet.inventory import Inventory
from ast_edge.mqtt.config import MqttConfig

FOLDER = Path(__file__).parents[1] / "packaging" / "fleet"
needs_mosquitto = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())


def scraped(port):
    """Return the names of all numbers that a daemon tells."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return set(re.findall(r"(?m)^(ast_edge_\w+)", answer.read().decode()))
    except OSError:
        return set()


@needs_mosquitto
def test_every_metric_of_the_dashboard_is_there(broker, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    from rigs.reloadable import Reloadable

    dashboard = (FOLDER / "grafana.json").read_text()
    named = set(re.findall(r"ast_edge_\w+", dashboard))
    assert len(named) > 10
    port = free_port()
    daemon = Reloadable(tmp_path, broker)
    daemon.change(metrics={"listen": f"127.0.0.1:{port}"})
    with daemon:
        daemon.wait_for_events(1)
        wait_until(lambda: named <= scraped(port))


def test_each_panel_of_the_dashboard_has_a_place_of_its_own():
    cells = [
        (x, y)
        for panel in json.loads((FOLDER / "grafana.json").read_text())["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_what_prometheus_is_given_is_yaml():
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    assert job["file_sd_configs"]


@pytest.fixture
def broker(tmp_path):
    (tmp_path / "broker").mkdir()
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def guarded(tmp_path):
    """A broker with the rights of the template; a user's password is the name backwards."""
    folder = tmp_path / "guarded"
    folder.mkdir()
    passwords = folder / "users"
    for number, user in enumerate(("attic", "barn", "operator", "reader")):
        command = ["mosquitto_passwd", "-b", *(["-c"] if number == 0 else [])]
        subprocess.run([*command, passwords, user, user[::-1]], check=True, capture_output=True)
    rights = folder / "rights"
    rights.write_text((FOLDER / "acl").read_text())
    rights.chmod(0o600)
    options = [f"acl_file {rights}", f"password_file {passwords}"]
    with Mosquitto(folder, options=options) as broker:
        yield broker


def publish_as(broker, user, topic, payload):
    broker.publish(topic, payload, "-r", "-u", user, "-P", user[::-1])


def seen_by_the_operator(broker):
    config = MqttConfig(
        host="127.0.0.1", port=broker.port, username="operator", password="rotarepo"
    )
    with Inventory(config) as inventory:
        return inventory.read()


@needs_mosquitto
def test_a_node_speaks_for_itself_and_for_no_other(guarded):
    publish_as(guarded, "attic", "ast-edge/attic/availability", "online")
    publish_as(guarded, "attic", "ast-edge/barn/availability", "online")
    publish_as(guarded, "attic", "ast-edge/desired", "{}")
    publish_as(guarded, "reader", "ast-edge/cellar/availability", "online")
    assert list(seen_by_the_operator(guarded)) == ["attic"]


@needs_mosquitto
def test_a_daemon_finds_all_rights_that_it_needs(guarded, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    from rigs.reloadable import Reloadable

    daemon = Reloadable(tmp_path, guarded, username="attic", password="citta")
    daemon.change(updates="https://models.example.org/ast/")
    with daemon:
        wait_until(lambda: "attic" in seen_by_the_operator(guarded), 60)
        daemon.wait_for_events(1)
        wait_until(lambda: daemon.status()["broker"]["waiting"] == 0, 60)
    assert "does not let us" not in daemon.log.read_text()


@needs_mosquitto
def test_a_bridge_passes_on_what_nodes_say_and_what_is_said_to_them(tmp_path):
    (tmp_path / "centre").mkdir()
    (tmp_path / "site").mkdir()
    with Mosquitto(tmp_path / "centre") as centre:
        lines = [
            re.sub(r"^address .*", f"address 127.0.0.1:{centre.port}", line)
            for line in (FOLDER / "bridge.conf").read_text().splitlines()
            if not re.match(r"#|bridge_cafile|remote_|$", line)
        ]
        with Mosquitto(tmp_path / "site", options=lines) as site:
            say(site, "attic")
            wait_until(lambda: "ast-edge/attic/info" in retained(centre))
            with Subscriber(site) as heard:
                for topic in ("desired", "attic/desired", "attic/command", "attic/mic/set/on"):
                    centre.publish(f"ast-edge/{topic}", "x")
                    heard.wait_on(f"ast-edge/{topic}")


@needs_mosquitto
def test_consumers_of_a_shared_subscription_get_each_event_once(broker):
    command = ["mosquitto_sub", *broker.client_options(), "-V", "5", "-q", "1"]
    command += ["-t", "$share/db/ast-edge/+/+/event"]
    consumers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        wait_until(lambda: broker.log().count("$share/db/ast-edge/+/+/event (QoS 1)") == 2)
        for number in range(20):
            broker.publish("ast-edge/attic/mic/event", str(number))
        wait_until(lambda: broker.log().count("'ast-edge/attic/mic/event', ... ") == 40)
    finally:
        for consumer in consumers:
            consumer.terminate()
    shares = [consumer.communicate()[0].split() for consumer in consumers]
    assert sorted(shares[0] + shares[1], key=int) == [str(number) for number in range(20)]
    assert all(shares)
