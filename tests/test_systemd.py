"""The service under a real systemd, in a container of the test's own."""

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from rigs.broker import mosquitto
from rigs.broker.mosquitto import PASSWORD, USER, Mosquitto, Subscriber, wait_until
from rigs.model import RATE, write_bundle
from rigs.systemd import Systemd, why_not

ROOT = Path(__file__).parents[1]
SERVICE = "ast-edge"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "it can"),
]

NEEDS_BROKER = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

CREDENTIAL = "[Service]\nLoadCredential=mqtt-password:/etc/ast-edge/mqtt-password\n"
"""What `install-service` writes where there is a password."""

PLAY = """\
[Service]
ExecStartPre=mkfifo /srv/sound
ExecStart=sh -c 'while cat /srv/loop.raw; do sleep 0.2; done <>/srv/sound >/srv/sound'
"""


def config(**changes):
    """A configuration whose source never ends: standard input, which the unit takes from a pipe."""
    return yaml.safe_dump(
        {
            "node": "attic",
            "bundle": "/srv/bands",
            "sources": {"kitchen": {"stdin": "f32le", "sample_rate": RATE}},
            "jsonl": "/var/lib/ast-edge/events.jsonl",
        }
        | changes
    )


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A machine with the service installed, not started; its microphone is a pipe."""
    work = tmp_path_factory.mktemp("systemd")
    bundle = write_bundle(work / "files/srv/bands")
    for path in (bundle, *bundle.iterdir()):
        path.chmod(0o755)
    sound = np.random.default_rng(1).normal(0, 0.01, RATE // 5).astype("<f4")
    (work / "files/srv/loop.raw").write_bytes(sound.tobytes())
    unit = (ROOT / "systemd/ast-edge.service").read_text()
    shipped = "/opt/ast-edge/bin/ast-edge"
    assert shipped in unit
    command = "/srv/venv/bin/python -m ast_edge"
    files = {
        "/etc/systemd/system/ast-edge.service": unit.replace(shipped, command),
        "/etc/systemd/system/ast-edge.service.d/test.conf": "[Service]\n"
        # The Python behind this environment may stand in a home.
        "ProtectHome=no\nWatchdogSec=3\nStandardInput=file:/srv/sound\n"
        "Environment=PYTHONPATH=/srv/edge\n",
        "/etc/systemd/system/sound.service": PLAY,
        "/etc/ast-edge/mic.yaml": config(),
    }
    # Elsewhere than here: the service has a /tmp of its own, where this may be a clone.
    binds = {ROOT / "edge": "/srv/edge", Path(sys.prefix): "/srv/venv"}
    with Systemd(work, files, binds) as systemd:
        # A Python in a home is for its owner alone; here the service's user may go there.
        ways = Path(sys.executable).resolve().parents
        systemd.run("chmod", "o+x", *map(str, ways))
        systemd.run("systemctl", "start", "sound")
        yield systemd


@pytest.fixture
def service(machine):
    """The service, running; started afresh for every test."""
    machine.run("systemctl", "start", SERVICE)
    yield machine
    machine.run("systemctl", "stop", SERVICE, check=False)
    machine.run("systemctl", "reset-failed", SERVICE, check=False)


def write_config(machine, text):
    machine.write("/etc/ast-edge/mic.yaml", text)


def test_the_service_becomes_ready_and_says_how_it_is(service):
    assert service.show(SERVICE, "ActiveState") == "active"
    service.wait(SERVICE, "StatusText", "listening")


def test_it_runs_as_a_user_that_exists_only_for_it(service):
    pid = service.show(SERVICE, "MainPID")
    assert int(service.run("stat", "-c", "%u", f"/proc/{pid}")) >= 61184  # DynamicUser's range
    assert service.run("stat", "-c", "%a", "/var/lib/private/ast-edge") == "700"


def test_a_frozen_daemon_is_killed_and_started_again(service):
    restarts = int(service.show(SERVICE, "NRestarts"))
    service.run("kill", "-STOP", service.show(SERVICE, "MainPID"))
    service.wait(SERVICE, "NRestarts", str(restarts + 1))
    service.wait(SERVICE, "ActiveState", "active")


def test_a_killed_daemon_is_started_again(service):
    restarts = int(service.show(SERVICE, "NRestarts"))
    service.run("kill", "-KILL", service.show(SERVICE, "MainPID"))
    service.wait(SERVICE, "NRestarts", str(restarts + 1))
    service.wait(SERVICE, "ActiveState", "active")


def test_a_reload_goes_on_with_the_same_process(service):
    pid = service.show(SERVICE, "MainPID")
    service.run("systemctl", "reload", SERVICE)
    service.wait(SERVICE, "ActiveState", "active")
    assert service.show(SERVICE, "MainPID") == pid
    assert "configuration reloaded" in service.journal()


def test_a_refused_reload_goes_on_as_before(service):
    pid = service.show(SERVICE, "MainPID")
    write_config(service, config(hop="often"))
    try:
        service.run("systemctl", "reload", SERVICE)
        service.wait(SERVICE, "StatusText", "listening")
        assert service.show(SERVICE, "MainPID") == pid
        assert "reload refused" in service.journal()
    finally:
        write_config(service, config())


def test_a_mistake_in_the_configuration_is_not_tried_again(machine):
    write_config(machine, config(labels=["Nothing"]))
    try:
        machine.run("systemctl", "start", SERVICE, check=False)
        machine.wait(SERVICE, "ActiveState", "failed")
        assert machine.show(SERVICE, "ExecMainStatus") == "78"
        assert machine.show(SERVICE, "NRestarts") == "0"
    finally:
        write_config(machine, config())
        machine.run("systemctl", "reset-failed", SERVICE)


def test_it_stops_cleanly(service):
    service.run("systemctl", "stop", SERVICE)
    assert service.show(SERVICE, "Result") == "success"
    assert service.show(SERVICE, "ExecMainStatus") == "0"


@pytest.fixture
def broker(machine, tmp_path):
    """A broker that wants a password, which systemd hands to the service."""
    (tmp_path / "broker").mkdir()
    machine.write("/etc/ast-edge/mqtt-password", f"{PASSWORD}\n", mode="600")
    machine.write(f"/etc/systemd/system/{SERVICE}.service.d/mqtt-password.conf", CREDENTIAL)
    machine.run("systemctl", "daemon-reload")
    with Mosquitto(tmp_path / "broker", password=True) as broker:
        mqtt = {"host": "127.0.0.1", "port": broker.port, "username": USER}
        write_config(machine, config(mqtt=mqtt))
        yield broker
    write_config(machine, config())


@NEEDS_BROKER
def test_the_password_of_the_broker_comes_from_systemd(broker, service):
    with Subscriber(broker) as heard:
        heard.wait_on("ast-edge/attic/availability")
    assert PASSWORD not in service.journal()


@NEEDS_BROKER
def test_a_command_to_restart_keeps_the_service_running(broker, service):
    with Subscriber(broker) as heard:
        heard.wait_on("ast-edge/attic/availability")
        # Not so soon after connecting that it could be a retained message.
        wait_until(lambda: press_restart(broker, heard))
        wait_until(lambda: heard.on("ast-edge/attic/availability")[-1] == "online")
    service.wait(SERVICE, "StatusText", "listening")
    assert service.show(SERVICE, "SubState") == "running"


def press_restart(broker, heard):
    """Ask for a restart; return whether it has begun."""
    broker.publish("ast-edge/attic/kitchen/set/restart", "PRESS")
    return "offline" in heard.on("ast-edge/attic/availability")
