"""Installing the service, up to the service manager (tests/test_systemd.py runs the unit)."""

import subprocess
from pathlib import Path

import pytest
import yaml
from rigs.model import write_bundle, write_other_bundle

from ast_edge.cli import service_unit
from ast_edge.cli.main import main

OPT = Path("/opt/ast-edge/bin/ast-edge")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Where units and configuration go, and the commands that systemctl is given."""
    commands = []

    def systemctl(command, **options):
        commands.append(" ".join(command))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(service_unit, "program", lambda: OPT)
    monkeypatch.setattr(subprocess, "run", systemctl)
    return commands


@pytest.fixture
def config(tmp_path):
    """A configuration with whole paths."""
    path = tmp_path / "my.yaml"
    tree = {"bundle": str(write_bundle(tmp_path / "bands")), "sources": {"a": {"stdin": "s16le"}}}
    path.write_text(yaml.safe_dump(tree))
    return path


def written(tmp_path):
    return sorted(p.name for p in (tmp_path / "config").rglob("*") if p.is_file())


def test_it_writes_unit_and_configuration_and_starts_the_service(machine, config, tmp_path):
    assert main(["install-service", "--user", "--config", str(config)]) == 0
    assert written(tmp_path) == ["ast-edge.service", "mic.yaml"]
    place = tmp_path / "config/ast-edge/mic.yaml"
    assert place.read_text() == config.read_text()
    assert place.stat().st_mode & 0o777 == 0o600  # it may hold the passwords of cameras
    assert machine == [
        "systemctl --user daemon-reload",
        "systemctl --user enable ast-edge.service",
        "systemctl --user restart ast-edge.service",
    ]


def test_secrets_go_where_the_configuration_goes(machine, config, tmp_path):
    config.with_name("secrets.yaml").write_text("node: attic\n")
    config.write_text(config.read_text() + "node: !secret node\n")
    assert main(["install-service", "--user", "--config", str(config)]) == 0
    assert written(tmp_path) == ["ast-edge.service", "mic.yaml", "secrets.yaml"]
    place = tmp_path / "config/ast-edge/secrets.yaml"
    assert place.read_text() == "node: attic\n"
    assert place.stat().st_mode & 0o777 == 0o600


def test_secrets_that_are_not_wanted_stay_where_they_are(machine, config, tmp_path):
    config.with_name("secrets.yaml").write_text("node: attic\n")
    assert main(["install-service", "--user", "--config", str(config)]) == 0
    assert written(tmp_path) == ["ast-edge.service", "mic.yaml"]


def test_a_dry_run_says_all_that_and_does_nothing(machine, config, tmp_path, capsys):
    assert main(["install-service", "--user", "--config", str(config), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"write   {tmp_path}/config/systemd/user/ast-edge.service" in said
    assert "run     systemctl --user enable ast-edge.service" in said
    assert (written(tmp_path), machine) == ([], [])


def test_a_configuration_that_cannot_be_run_is_not_installed(machine, config, tmp_path, capsys):
    config.write_text(config.read_text() + "hop: often\n")
    assert main(["install-service", "--user", "--config", str(config)]) == 78
    assert "hop" in capsys.readouterr().err
    assert (written(tmp_path), machine) == ([], [])


def test_paths_that_only_hold_where_the_file_was_are_refused(machine, config, tmp_path, capsys):
    tree = yaml.safe_load(config.read_text()) | {"bundle": "./bands"}
    config.write_text(yaml.safe_dump(tree))
    assert main(["install-service", "--user", "--config", str(config)]) == 78
    assert "give whole paths" in capsys.readouterr().err
    assert written(tmp_path) == []


def test_files_that_the_service_cannot_see_are_refused(
    machine, config, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(service_unit, "HIDDEN", (tmp_path,))
    assert main(["install-service", "--dry-run", "--config", str(config)]) == 78
    said = capsys.readouterr().err
    assert f"the service cannot see {tmp_path}/bands: use /srv or /etc" in said


def test_without_a_configuration_it_says_where_one_belongs(machine, tmp_path, capsys):
    assert main(["install-service", "--user"]) == 78
    assert f"{tmp_path}/config/ast-edge/mic.yaml: no such file" in capsys.readouterr().err


def test_an_installed_configuration_is_kept(machine, config, tmp_path):
    main(["install-service", "--user", "--config", str(config)])
    assert main(["install-service", "--user"]) == 0
    assert (tmp_path / "config/ast-edge/mic.yaml").read_text() == config.read_text()


def test_removing_leaves_the_configuration(machine, config, tmp_path):
    main(["install-service", "--user", "--config", str(config)])
    machine.clear()
    assert main(["install-service", "--user", "--remove"]) == 0
    assert written(tmp_path) == ["mic.yaml"]
    assert machine == [
        "systemctl --user disable --now ast-edge.service",
        "systemctl --user daemon-reload",
    ]


def test_what_systemd_refuses_is_said(machine, config, monkeypatch, capsys):
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda command, **_: subprocess.CompletedProcess(command, 1, "", "Failed to connect\n"),
    )
    assert main(["install-service", "--user", "--config", str(config)]) == 69
    assert "systemctl --user daemon-reload: Failed to connect" in capsys.readouterr().err


def test_a_bundle_of_a_source_that_the_service_could_not_find_is_refused(
    machine, config, tmp_path, capsys
):
    write_other_bundle(tmp_path / "other")
    tree = yaml.safe_load(config.read_text())
    tree["sources"]["b"] = {"microphone": "x", "bundle": "./other"}
    config.write_text(yaml.safe_dump(tree))
    assert main(["install-service", "--user", "--config", str(config)]) == 78
    assert "give whole paths" in capsys.readouterr().err
