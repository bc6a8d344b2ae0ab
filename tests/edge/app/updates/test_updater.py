import json
import time
from dataclasses import replace

import pytest
from rigs.broker.mosquitto import wait_until
from rigs.full_disk import files_end_at
from rigs.hub.server import Hub, Stall, status

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.hub.updates import make_bundle, publish

from ast_edge.app.plan import load_plan
from ast_edge.app.updates import updater as module
from ast_edge.app.updates.ports import Ports
from ast_edge.app.updates.proof import Pulse
from ast_edge.app.updates.updater import Updater
from ast_edge.base.errors import AstError
from ast_edge.fleet.record import Shelf

PATIENCE = 60


class FakeDaemon:
    """A daemon that follows plans, and scores windows when it is told to."""

    def __init__(self, path):
        self.path, self.plan, self.fault = path, load_plan(path), None
        self.pulse = Pulse(0, 0.0, 0, 2.0)
        self.ports = Ports(lambda: self.plan, self.switch, lambda: self.pulse, lambda: None)

    @property
    def model(self):
        return self.plan.bundles[0].name

    def switch(self, alive):
        if self.fault:
            fault, self.fault = self.fault, None
            raise fault
        try:
            self.plan = load_plan(self.path)
        except AstError as exc:
            return str(exc)
        return ""


@pytest.fixture
def hub():
    with Hub() as hub:
        yield hub


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(module, "RETRY_FIRST", 0.05)
    monkeypatch.setattr(module, "RETRY_MAX", 0.1)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)


@pytest.fixture
def begin(tmp_path, tiny_model, hub):
    """Begin to follow pointers, in a daemon that hears with "bands"."""
    begun = []

    def begin(**options):
        updates = {"places": [hub.url], "spread": 0, **options}
        tree = {"node": "attic", "bundle": str(tiny_model), "updates": updates}
        tree |= {"sources": {"hall": {"microphone": "default"}}, "engine": {"name": "openvino"}}
        path = tmp_path / "mic.yaml"
        path.write_text(json.dumps(tree))
        daemon = FakeDaemon(path)
        updater = Updater("attic", daemon.plan.config.updates, daemon.ports)
        updater.start()
        begun.append(updater)
        return daemon, updater

    yield begin
    for updater in begun:
        updater.close()


@pytest.fixture
def better(tmp_path):
    return make_bundle(tmp_path / "better", "better")


@pytest.fixture
def newer(tmp_path):
    return make_bundle(tmp_path / "newer", "newer")


def told(updater, pointer, scope="node"):
    updater.told(scope, pointer.payload.encode())


def wait_for(updater, *states):
    wait_until(lambda: updater.status.state in states, PATIENCE)
    return updater.status


def asked_for(hub, name):
    return sum(request.path.endswith(name) for request in hub.asked)


def test_a_server_that_is_away_is_asked_until_it_is_back(begin, hub, better):
    hub.faults["models/better/bundle.json"] = [status(503)] * 10
    daemon, updater = begin()
    told(updater, publish(hub, better))
    assert "503" in wait_for(updater, "waiting").detail
    wait_for(updater, "proving")
    assert daemon.model == "better"


def test_what_is_not_there_yet_is_asked_for_again(begin, hub, better):
    daemon, updater = begin()
    pointer = publish(hub, better)
    content = hub.files.pop("models/better/model.onnx")
    told(updater, pointer)
    assert "no such file" in wait_for(updater, "waiting").detail
    hub.files["models/better/model.onnx"] = content
    wait_for(updater, "proving")
    assert daemon.model == "better"


def test_what_is_not_what_was_promised_is_fetched_three_times_and_no_more(begin, hub, better):
    daemon, updater = begin()
    told(updater, publish(hub, better, sha256="0" * 64))
    assert "expected the sum 0000" in wait_for(updater, "failed").detail
    assert asked_for(hub, "bundle.json") == 3
    assert daemon.model == "bands"


def test_a_newer_pointer_is_followed_while_the_server_hangs(begin, hub, better, newer):
    stall = Stall(10)
    hub.faults["models/better/model.onnx"] = [stall]
    daemon, updater = begin()
    told(updater, publish(hub, better))
    wait_until(lambda: asked_for(hub, "model.onnx") == 1)
    told(updater, publish(hub, newer, serial=2))
    stall.over.set()  # the connection ends; it is not taken up again
    wait_for(updater, "proving")
    assert daemon.model == "newer"


def test_a_pointer_that_is_told_at_every_connection_is_one(begin, hub, better):
    hub.faults["models/better/bundle.json"] = [status(503)] * 100
    _, updater = begin()
    pointer = publish(hub, better)
    told(updater, pointer)
    before = wait_for(updater, "waiting")
    told(updater, pointer)
    assert updater.status.seen == before.seen == {"node": 1}


def test_where_nodes_take_turns_none_asks_before_its_own(begin, hub, better):
    _, updater = begin(spread=86400)
    told(updater, publish(hub, better))
    assert "its turn" in wait_for(updater, "waiting").detail
    assert not hub.asked


def test_a_command_does_not_wait_for_its_turn(begin, hub, better):
    _, updater = begin(spread=86400)
    told(updater, publish(hub, better))
    wait_for(updater, "waiting")
    updater.command(b"install")
    wait_for(updater, "proving")


@pytest.mark.parametrize("payload", [b"nonsense", b"{}", b"\xff" * 10_000])
def test_a_pointer_that_is_none_is_refused_until_it_is_taken_away(begin, payload):
    daemon, updater = begin()
    updater.told("node", payload)
    assert "the pointer to this node" in wait_for(updater, "refused").detail
    updater.told("node", b"")
    wait_for(updater, "none")
    assert daemon.model == "bands"


def test_a_bundle_for_a_later_version_is_refused(begin, hub, better):
    _, updater = begin()
    told(updater, publish(hub, better, min_version="999.0"))
    assert "needs ast-edge 999.0" in wait_for(updater, "refused").detail
    assert not hub.asked


def test_the_serial_of_another_pointer_is_refused(begin, hub, better, newer):
    _, updater = begin(install="on_command")
    told(updater, publish(hub, better, serial=3))
    wait_for(updater, "available")
    told(updater, publish(hub, newer, serial=3))
    assert "serial 3 of another" in wait_for(updater, "refused").detail


def test_serials_are_counted_by_who_was_told(begin, hub, better, newer):
    _, updater = begin(install="on_command")
    told(updater, publish(hub, better, serial=9), "all")
    told(updater, publish(hub, newer, serial=1), "node")
    wait_until(lambda: updater.status.seen == {"all": 9, "node": 1})
    assert updater.status.serial == 1


def test_a_daemon_that_cannot_follow_it_goes_on_with_what_it_had(begin, hub, better, tiny_model):
    daemon, updater = begin()
    text = daemon.path.read_text()
    daemon.path.write_text("sources: 3")
    told(updater, publish(hub, better))
    assert "mic.yaml: sources: " in wait_for(updater, "failed").detail
    assert Shelf("attic").read().current is None
    daemon.path.write_text(text)
    assert daemon.model == "bands"


def test_a_fault_of_ours_costs_one_attempt(begin, hub, better, caplog):
    daemon, updater = begin()
    daemon.fault = ZeroDivisionError("a bug")
    told(updater, publish(hub, better))
    wait_until(lambda: "this is a fault of ast-edge" in caplog.text, PATIENCE)
    wait_for(updater, "proving", "installed")
    assert daemon.model == "better"
    assert Shelf("attic").read().previous is None


def test_a_bundle_that_was_damaged_on_the_disk_is_fetched_again(begin, hub, better):
    pointer = publish(hub, better)
    _, first = begin()
    told(first, pointer)
    wait_for(first, "proving")
    first.close()
    (Shelf("attic").bundle(pointer) / "model.onnx").write_bytes(b"damaged")
    daemon, again = begin()
    assert daemon.model == "bands"
    told(again, pointer)
    wait_for(again, "proving")
    assert daemon.model == "better"
    assert again.status.previous.endswith("bands")


def test_a_bundle_that_gives_no_probabilities_is_taken_back_at_once(begin, hub, better):
    daemon, updater = begin()
    told(updater, publish(hub, better))
    wait_for(updater, "proving")
    daemon.pulse = replace(daemon.pulse, unusable=1)
    assert "no probabilities" in wait_for(updater, "rolled_back").detail
    assert daemon.model == "bands"


def test_a_full_disk_does_not_keep_a_bundle_that_must_go(begin, hub, better):
    daemon, updater = begin()
    told(updater, publish(hub, better))
    wait_for(updater, "proving")
    with files_end_at(0):
        updater.command(b"rollback")
        wait_for(updater, "rolled_back")
    assert daemon.model == "bands"


def test_a_full_disk_is_waited_for_before_the_switch(begin, hub, better, monkeypatch):
    daemon, updater = begin(install="on_command")
    told(updater, publish(hub, better))
    wait_for(updater, "available")
    with files_end_at(100):
        updater.command(b"install")
        assert "cannot be written" in wait_for(updater, "waiting").detail
    wait_for(updater, "proving")
    assert daemon.model == "better"


def test_a_bundle_before_the_one_before_is_forgotten(begin, hub, better, newer):
    daemon, updater = begin()
    for serial, folder in enumerate((better, newer, make_bundle(newer.parent / "c", "c")), 1):
        told(updater, publish(hub, folder, serial=serial))
        wait_until(lambda name=folder.name: daemon.model == name, PATIENCE)
        # Only when one has proved itself the next has its turn.
        wait_for(updater, "proving")
        daemon.pulse = replace(daemon.pulse, windows=daemon.pulse.windows + 10)
        updater._proof._since = time.monotonic() - 3600
        wait_for(updater, "installed")
    kept = {path.name for path in (Shelf("attic").folder / "bundles").iterdir()}
    assert kept == Shelf("attic").read().keeps
    assert len(kept) == 2
    assert updater.status.previous == publish(hub, newer).title


def test_a_bundle_goes_on_proving_itself_after_a_stop_and_not_after_a_fault(begin, hub, better):
    _, updater = begin()
    told(updater, publish(hub, better))
    wait_for(updater, "proving")
    updater.close(failed=True)
    assert Shelf("attic").read().probation == "running"
    _, again = begin()
    wait_for(again, "proving")
    again.close()
    assert Shelf("attic").read().probation == "paused"
