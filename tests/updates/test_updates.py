"""A daemon of one's own that is pointed to other bundles, on a web server of the test's own."""

import json
import math
import time
from contextlib import closing

import numpy as np
import pytest
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber, retained, wait_until
from rigs.broker.payloads import check
from rigs.daemon import PROOF_VARIABLE
from rigs.hub.server import Hub

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.hub.updates import ALL, COMMAND, NODE, UPDATE, make_bundle, point, publish, status
from rigs.model import FRAMES
from rigs.reloadable import Reloadable

from ast_edge.cli.main import main
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.model.bundle import load_bundle

pytestmark = [
    pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available()),
    pytest.mark.slow,
]
PATIENCE = 60


@pytest.fixture
def broker(tmp_path):
    (tmp_path / "broker").mkdir()
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def hub():
    with Hub() as hub:
        yield hub


@pytest.fixture
def heard(broker):
    with Subscriber(broker) as heard:
        yield heard


@pytest.fixture
def daemon(tmp_path, broker, hub, monkeypatch):
    """A daemon that may be pointed to what the server has, and has begun."""
    monkeypatch.setenv(PROOF_VARIABLE, "2")
    daemon = Reloadable(tmp_path, broker)
    daemon.change(updates={"places": [f"{hub.url}/models"], "spread": 0})
    with daemon:
        wait_until(lambda: UPDATE in retained(broker), PATIENCE)
        yield daemon


@pytest.fixture
def better(tmp_path):
    """A bundle that hears the same, and is another."""
    return make_bundle(tmp_path / "better", "better", spread=2.0)


def wait_for(heard, state):
    wait_until(lambda: status(heard).get("state") == state, PATIENCE)
    return check("update", heard.on(UPDATE)[-1])


def model(daemon):
    return daemon.status()["bundle"]


def test_a_bundle_that_a_node_is_pointed_to_is_used_when_it_has_proved_itself(
    daemon, broker, hub, heard, better
):
    daemon.wait_for_events(1)
    pointer = publish(hub, better, name="Better")
    point(broker, pointer)
    proving = wait_for(heard, "proving")
    assert proving["installed"] == proving["latest"] == pointer.title
    assert model(daemon) == "better"
    wait_for(heard, "installed")
    daemon.wait_for_events(3)  # of the bundle before: start, end; of this one: start
    states = [json.loads(payload)["state"] for payload in heard.on(UPDATE)]
    for earlier, later in (("downloading", "checking"), ("checking", "installing")):
        assert states.index(earlier) < states.index(later)
    info = json.loads(retained(broker)["ast-edge/attic/info"])
    assert info["bundles"][0]["name"] == "better"


def begin_anew(daemon, heard):
    """Start it again, and wait until it is there."""
    before = heard.on("ast-edge/attic/greeted")
    connections = daemon.log.read_text().count(": connected")
    daemon.start()
    # What it has said to itself before may come as late as this.
    wait_until(lambda: daemon.log.read_text().count(": connected") > connections, PATIENCE)
    wait_until(lambda: len(heard.on("ast-edge/attic/greeted")) > len(before), PATIENCE)


def test_it_is_used_after_a_restart_as_well(daemon, broker, hub, heard, better):
    point(broker, publish(hub, better))
    wait_for(heard, "installed")
    daemon.process.terminate()
    daemon.wait()
    hub.files.clear()
    begin_anew(daemon, heard)
    assert model(daemon) == "better"
    wait_for(heard, "installed")


def test_a_rollback_returns_to_the_bundle_before_and_stays_there(
    daemon, broker, hub, heard, better
):
    point(broker, publish(hub, better))
    wait_for(heard, "installed")
    broker.publish(COMMAND, "rollback")
    assert "asked" in wait_for(heard, "rolled_back")["detail"]
    assert model(daemon) == "bands"
    daemon.process.terminate()
    daemon.wait()
    begin_anew(daemon, heard)
    wait_for(heard, "rolled_back")
    assert model(daemon) == "bands"


def test_the_pointer_of_a_bundle_that_was_taken_back_is_followed_on_command(
    daemon, broker, hub, heard, better
):
    point(broker, publish(hub, better))
    wait_for(heard, "installed")
    broker.publish(COMMAND, "rollback")
    wait_for(heard, "rolled_back")
    broker.publish(COMMAND, "install")
    wait_for(heard, "installed")
    assert model(daemon) == "better"


HOP = 0.05
"""Seconds between windows, where a bundle shall be too slow for them."""


def slow_bundle(folder):
    """Make a bundle whose windows take about four such hops, on a machine of any speed."""
    few = 20
    seconds = []
    bundle = load_bundle(make_bundle(folder / "few", "few", burden=few))
    with closing(open_engine(bundle, EngineConfig())) as engine:
        for _ in range(3):
            began = time.monotonic()
            engine.run(np.zeros((1, FRAMES, 128), np.float32))
            seconds.append(time.monotonic() - began)
    return make_bundle(folder / "slow", "slow", burden=math.ceil(few * 4 * HOP / min(seconds)))


def test_a_bundle_that_is_slower_than_real_time_is_taken_back(daemon, broker, hub, heard, tmp_path):
    kitchen = daemon.settings("sources")["kitchen"]
    daemon.reload(sources={"kitchen": {**kitchen, "hop": HOP}})
    point(broker, publish(hub, slow_bundle(tmp_path)))
    wait_for(heard, "proving")
    assert "slower than real time" in wait_for(heard, "rolled_back")["detail"]
    assert model(daemon) == "bands"


@pytest.fixture
def long_proof(daemon, heard, monkeypatch):
    """Let a new bundle be new for ten minutes."""
    monkeypatch.setenv(PROOF_VARIABLE, "600")
    daemon.process.terminate()
    daemon.wait()
    begin_anew(daemon, heard)


def test_a_daemon_that_is_killed_while_a_bundle_is_new_begins_with_the_one_before(
    daemon, broker, hub, heard, better, long_proof
):
    point(broker, publish(hub, better))
    for _ in range(2):  # a power cut may be to blame once
        wait_for(heard, "proving")
        daemon.kill()
        before = len(heard.on(UPDATE))
        begin_anew(daemon, heard)
        assert "is taken back: ast-edge has ended while it was new" in daemon.log.read_text()
        wait_until(lambda before=before: len(heard.on(UPDATE)) > before, PATIENCE)
    assert "2 times" in wait_for(heard, "failed")["detail"]
    assert model(daemon) == "bands"


def test_a_daemon_that_is_stopped_while_a_bundle_is_new_goes_on_with_it(
    daemon, broker, hub, heard, better, long_proof
):
    point(broker, publish(hub, better))
    wait_for(heard, "proving")
    daemon.process.terminate()
    daemon.wait()
    begin_anew(daemon, heard)
    assert model(daemon) == "better"
    wait_for(heard, "proving")


def test_labels_that_would_be_gone_are_said_and_the_bundle_is_refused(
    daemon, broker, hub, heard, tmp_path
):
    other = make_bundle(tmp_path / "other", "other", ("Buzz", "Hum"))
    daemon.reload(labels={"Hum": None, "Hiss": {"on": 0.9}}, groups={"Any": ["Hiss", "Hum"]})
    point(broker, publish(hub, other))
    refused = wait_for(heard, "refused")
    assert refused["missing"] == ["labels.Hiss", "groups.Any (Hiss)"]
    assert "labels.Hiss" in refused["detail"]
    assert model(daemon) == "bands"


def test_labels_that_may_go_are_said_before_the_switch(daemon, broker, hub, heard, tmp_path):
    other = make_bundle(tmp_path / "other", "other", ("Buzz", "Hum"))
    daemon.reload(labels={"Hum": None, "Hiss": {"on": 0.9}})
    point(broker, publish(hub, other, drop_labels=True))
    wait_for(heard, "installed")
    said = [json.loads(payload) for payload in heard.on(UPDATE)]
    (first, *_) = [s["state"] for s in said if s["missing"]]
    assert first == "checking"
    log = daemon.log.read_text()
    assert log.index("lacks labels that the configuration names: labels.Hiss") < log.index(
        "is used from now on"
    )
    assert json.loads(retained(broker)["ast-edge/attic/info"])["labels"] == ["hum"]
    daemon.reload(time_zone="UTC")  # the labels stay gone
    assert model(daemon) == "other"


def test_a_pointer_to_another_place_is_refused(daemon, broker, hub, heard, better):
    pointer = publish(hub, better)
    hub.asked.clear()
    point(broker, publish(hub, better, url=pointer.url.replace("/models/", "/others/")))
    assert "none of the places" in wait_for(heard, "refused")["detail"]
    assert not hub.asked


def test_a_bundle_whose_hash_does_not_fit_is_not_used(daemon, broker, hub, heard, better):
    point(broker, publish(hub, better, sha256="0" * 64))
    assert "expected the sum 0000" in wait_for(heard, "waiting")["detail"]
    assert model(daemon) == "bands"


def test_an_old_pointer_that_comes_back_changes_nothing(daemon, broker, hub, heard, better):
    old = publish(hub, better, serial=1)
    point(broker, publish(hub, make_bundle(better.parent / "newer", "newer"), serial=2))
    wait_for(heard, "installed")
    point(broker, old)
    assert "an old one that has come back" in wait_for(heard, "refused")["detail"]
    daemon.process.terminate()
    daemon.wait()
    begin_anew(daemon, heard)
    wait_for(heard, "refused")
    assert model(daemon) == "newer"


def test_a_pointer_to_all_nodes_is_followed_unless_one_has_its_own(
    daemon, broker, hub, heard, better
):
    newer = make_bundle(better.parent / "newer", "newer")
    point(broker, publish(hub, newer), ALL)
    wait_for(heard, "installed")
    assert model(daemon) == "newer"
    point(broker, publish(hub, better), NODE)
    wait_until(lambda: model(daemon) == "better", PATIENCE)
    wait_for(heard, "installed")
    broker.publish(NODE, "", "-r")
    wait_until(lambda: model(daemon) == "newer", PATIENCE)


def test_a_pointer_that_was_withdrawn_while_the_node_was_away_counts_no_more(
    daemon, broker, hub, heard, better
):
    newer = make_bundle(better.parent / "newer", "newer")
    point(broker, publish(hub, better), NODE)
    wait_for(heard, "installed")
    broker.restart()  # it has kept nothing, and nobody is told that
    point(broker, publish(hub, newer), ALL)
    wait_until(lambda: model(daemon) == "newer", PATIENCE)


def test_a_command_installs_where_none_is_followed_by_itself(daemon, broker, hub, heard, better):
    daemon.reload(updates={"places": [hub.url], "install": "on_command"})
    point(broker, publish(hub, better))
    available = wait_for(heard, "available")
    assert available["latest"] != available["installed"]
    broker.publish(COMMAND, "install")
    wait_for(heard, "installed")


def test_without_updates_no_pointer_is_followed(daemon, broker, hub, heard, better):
    daemon.reload(updates=None)
    wait_until(lambda: heard.on(UPDATE)[-1] == "", PATIENCE)
    hub.asked.clear()
    point(broker, publish(hub, better))
    daemon.reload(time_zone="UTC")
    assert not hub.asked
    assert model(daemon) == "bands"


def test_another_bundle_in_the_configuration_wins(daemon, broker, hub, heard, better):
    point(broker, publish(hub, better))
    wait_for(heard, "installed")
    other = make_bundle(better.parent / "mine", "mine")
    daemon.reload(bundle=str(other))
    assert model(daemon) == "mine"
    assert "names another bundle" in wait_for(heard, "rolled_back")["detail"]


def test_home_assistant_is_shown_the_model_and_may_install_it(daemon, broker, hub, heard, better):
    topic = "homeassistant/device/ast-edge-attic/config"
    described = json.loads(retained(broker)[topic])["components"]
    update = described["update"]
    assert (update["platform"], update["state_topic"]) == ("update", UPDATE)
    assert (update["command_topic"], update["payload_install"]) == (COMMAND, "install")
    daemon.reload(updates=None)
    wait_until(lambda: "update" not in json.loads(heard.on(topic)[-1])["components"], PATIENCE)


def test_the_command_line_points_a_node_to_a_bundle_and_back(daemon, broker, hub, better, capsys):
    url = publish(hub, better).url
    where = ["--broker", f"127.0.0.1:{broker.port}", "--wait", "60"]
    assert main(["fleet", "update", url, "--node", "attic", *where]) == 0
    assert "attic: installed" in capsys.readouterr().out
    assert model(daemon) == "better"
    assert main(["fleet", "rollback", "--node", "attic", *where]) == 0
    assert model(daemon) == "bands"
