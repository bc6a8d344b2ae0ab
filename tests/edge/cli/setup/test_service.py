"""The service that the wizard offers, up to the service manager."""

import subprocess
from pathlib import Path

import pytest
import yaml

from ast_edge.base.errors import ConfigError
from ast_edge.cli import service_unit
from ast_edge.cli.setup.service import offer_service
from ast_edge.cli.setup.talk import Talk


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """The commands that systemctl is given."""
    commands = []

    def systemctl(command, **options):
        commands.append(" ".join(command))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(service_unit, "program", lambda: Path("/opt/ast-edge/bin/ast-edge"))
    monkeypatch.setattr(subprocess, "run", systemctl)
    return commands


@pytest.fixture
def out(tmp_path, tiny_model):
    path = tmp_path / "mic.yaml"
    tree = {"bundle": str(tiny_model), "sources": {"a": {"microphone": "usb"}}}
    path.write_text(yaml.safe_dump(tree))
    return path


def test_it_is_installed_for_the_user_and_what_was_there_is_kept(commands, out, tmp_path):
    there = tmp_path / "config" / "ast-edge" / "mic.yaml"
    there.parent.mkdir(parents=True)
    there.write_text("# mine\n")
    offer_service("user", out, Talk(asks=False))
    assert commands[-1] == "systemctl --user restart ast-edge.service"
    assert there.read_text() == out.read_text()
    assert there.with_name("mic.yaml.old").read_text() == "# mine\n"


def test_unattended_none_is_installed_unless_it_is_asked_for(commands, out, capsys):
    offer_service(None, out, Talk(asks=False))
    assert commands == []
    assert "ast-edge install-service --config" in capsys.readouterr().out


def test_the_systems_service_is_for_root(commands, out, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match="use sudo"):
        offer_service("system", out, Talk(asks=False))
    assert commands == []
