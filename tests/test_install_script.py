"""`scripts/install`, into folders of the test's own; only systemctl is a stand-in."""

import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts/install"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's home, and a systemctl that notes how it is called."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/systemctl.log\n')
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def config(home):
    path = home / "my own.yaml"
    path.write_text(yaml.safe_dump({"sources": {"kitchen": {"stdin": "s16le"}}}))
    return path


def install(*arguments, folder=ROOT):
    """Run the script and return what it says."""
    command = ["sh", SCRIPT, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(folder):
    return sorted(folder.rglob("*"))


def test_a_dry_run_names_every_step_and_changes_nothing(home, config):
    before = contents(home)
    said = install("--dry-run", "--gpu", f"--prefix={home}/opt", "--config", config).splitlines()
    assert contents(home) == before
    assert said[0] == f"run     {ROOT}/scripts/debian python3-venv libportaudio2"
    assert said[1].endswith(f"-m venv {home}/opt")
    assert said[2].endswith(f"{ROOT}[web,mdns,tensorrt]")
    assert "write   /usr/local/share/man/man1/ast-edge.1" in said
    assert said[-1] == (
        f"run     {home}/opt/bin/ast-edge install-service --dry-run --gpu --config {config}"
    )


def test_the_systems_service_needs_root(home, config):
    (home / "bin/id").write_text("#!/bin/sh\necho 1000\n")
    (home / "bin/id").chmod(0o755)
    done = subprocess.run(["sh", SCRIPT, "--config", config], capture_output=True, text=True)
    assert (done.returncode, "use sudo" in done.stderr) == (77, True)
    assert contents(home / "opt") == []


@pytest.mark.slow
def test_one_command_installs_the_program_and_a_users_service(home, config, monkeypatch):
    """What it needs is that of this environment: nothing is fetched."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    prefix = home / ".local/share/ast-edge"
    venv.create(prefix, with_pip=True)
    (site,) = prefix.glob("lib/python*/site-packages")
    (site / "rest.pth").write_text(sysconfig.get_path("purelib"))
    for option in ("NO_INDEX", "NO_DEPS"):
        monkeypatch.setenv(f"PIP_{option}", "1")
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # which is how pip wants to hear it
    monkeypatch.delenv("PYTHONPATH", raising=False)
    install("--user", "--config", config.name, folder=home)
    assert (home / "config/ast-edge/mic.yaml").read_text() == config.read_text()
    unit = (home / "config/systemd/user/ast-edge.service").read_text()
    assert f"ExecStart={prefix}/bin/ast-edge run" in unit
    link = subprocess.check_output([home / ".local/bin/ast-edge", "--version"], text=True)
    assert link.startswith("ast-edge ")
    assert ".SH NAME" in (home / ".local/share/man/man1/ast-edge.1").read_text()
    assert "--user restart ast-edge.service" in (home / "systemctl.log").read_text()
    program = [prefix / "bin/python", "-c", "import ast_edge; print(ast_edge.__file__)"]
    assert str(prefix) in subprocess.check_output(program, text=True, cwd=home)
