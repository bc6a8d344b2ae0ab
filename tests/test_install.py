"""ast-edge installed from its wheel, as docs/service.md says, under a real systemd."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from rigs.model import RATE, write_bundle
from rigs.systemd import ZEROS_DROP_IN, Systemd, why_not

ROOT = Path(__file__).parents[1]
PROGRAM = "/opt/ast-edge/bin/ast-edge"
UNIT = "/etc/systemd/system/ast-edge.service"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "it can"),
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A machine with the wheel in /opt/ast-edge; what it needs is that of this environment."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    work = tmp_path_factory.mktemp("install")
    bundle = write_bundle(work / "files/srv/bands")
    for path in (bundle, *bundle.iterdir()):
        path.chmod(0o755)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", work / "files/srv"]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (work / "files/srv").glob("*.whl")
    config = {
        "node": "attic",
        "bundle": "/srv/bands",
        "sources": {"kitchen": {"stdin": "f32le", "sample_rate": RATE, "pace": "fast"}},
    }
    files = {
        "/srv/my.yaml": yaml.safe_dump(config),
        "/etc/systemd/system/ast-edge.service.d/test.conf": ZEROS_DROP_IN,
    }
    site = sysconfig.get_path("purelib", vars={"base": "/srv/venv", "platbase": "/srv/venv"})
    with Systemd(work, files, {Path(sys.prefix): "/srv/venv"}) as systemd:
        # A Python in a home is for its owner alone; here the service's user may go there.
        systemd.run("chmod", "o+x", *map(str, Path(sys.executable).resolve().parents))
        systemd.run("/srv/venv/bin/python", "-m", "venv", "/opt/ast-edge")
        pip = ["/opt/ast-edge/bin/pip", "install", "--no-index", "--no-deps"]
        systemd.run(*pip, f"/srv/{wheel.name}")
        found = systemd.run("sh", "-c", "echo /opt/ast-edge/lib/python*/site-packages")
        systemd.write(f"{found}/rest.pth", site)
        yield systemd


@pytest.fixture(scope="module")
def installed(machine):
    """The same with the service installed and running."""
    machine.run(PROGRAM, "install-service", "--config", "/srv/my.yaml")
    return machine


def test_a_dry_run_changes_nothing(machine):
    said = machine.run(PROGRAM, "install-service", "--config", "/srv/my.yaml", "--dry-run")
    assert f"write   {UNIT}" in said
    assert machine.run("ls", "/etc/ast-edge", check=False) == ""


def test_the_service_runs_from_its_wheel(installed):
    installed.wait("ast-edge", "StatusText", "listening")
    assert PROGRAM in installed.show("ast-edge", "ExecStart")
    assert installed.run("systemctl", "is-enabled", "ast-edge") == "enabled"


def test_only_root_and_the_service_read_its_configuration(installed):
    said = installed.run("stat", "-c", "%a %U %G", "/etc/ast-edge/mic.yaml")
    assert said == "640 root audio"


def test_root_sees_how_the_service_is(installed):
    said = installed.run(PROGRAM, "status")
    assert "attic" in said
    assert "kitchen" in said


def test_removing_it_leaves_the_configuration_alone(installed):
    installed.run(PROGRAM, "install-service", "--remove")
    assert installed.show("ast-edge", "ActiveState") == "inactive"
    assert installed.run("ls", UNIT, check=False) == ""
    assert installed.run("ls", "/etc/ast-edge") == "mic.yaml"
    machine_keeps = installed.run("ls", "/etc/systemd/system/ast-edge.service.d")
    assert machine_keeps == "test.conf"  # a drop-in of the user's own
