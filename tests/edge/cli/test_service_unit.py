from pathlib import Path

import pytest

from ast_edge.app.config import Config
from ast_edge.base.errors import ConfigError
from ast_edge.cli import service_unit
from ast_edge.cli.service_unit import NAME, SHIPPED_PROGRAM, paths_in, system_unit, user_unit

OPT = Path("/opt/ast-edge/bin/ast-edge")


def by_name(files):
    return {file.path.name: file.text for file in files}


def test_the_unit_starts_the_installed_program():
    files = by_name(system_unit(Path("/usr/local/my%bin/ast-edge"), gpu=False, password=False))
    assert "ExecStart=/usr/local/my%%bin/ast-edge run --config" in files[NAME]
    assert SHIPPED_PROGRAM not in files[NAME]


@pytest.mark.parametrize("wanted", [True, False])
def test_drop_ins_are_there_when_wanted_and_else_removed(wanted):
    files = by_name(system_unit(OPT, gpu=wanted, password=wanted))
    assert (files["gpu.conf"] is not None) == wanted
    assert (files["mqtt-password.conf"] is not None) == wanted


def test_the_password_is_named_not_copied():
    files = by_name(system_unit(OPT, gpu=False, password=True))
    assert files["mqtt-password.conf"] == (
        "[Service]\nLoadCredential=mqtt-password:/etc/ast-edge/mqtt-password\n"
    )


@pytest.mark.parametrize("folder", ["/root/venv", "/home/me/venv", "/tmp/venv"])
def test_a_program_that_the_service_cannot_see_is_refused_for_the_system(folder):
    with pytest.raises(ConfigError, match="install ast-edge in /opt/ast-edge"):
        system_unit(Path(folder) / "bin/ast-edge", gpu=False, password=False)


def test_all_paths_of_a_configuration_are_found(tmp_path):
    sound = tmp_path / "a.wav"
    sound.touch()
    tree = {
        "sources": {"a": {"file": str(sound)}, "b": {"stdin": "s16le"}},
        "jsonl": "/var/lib/ast-edge/events.jsonl",
        "clips": {"folder": "/var/lib/ast-edge/clips"},
    }
    found = paths_in(Config.model_validate(tree))
    assert sorted(map(str, found)) == sorted([str(sound), tree["jsonl"], tree["clips"]["folder"]])


def test_a_users_unit_may_stand_in_a_home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (file,) = user_unit(Path("/home/me/venv/bin/ast-edge"))
    assert file.path == tmp_path / "systemd/user" / NAME
    assert "/home/me/venv/bin/ast-edge" in file.text


def test_the_units_are_found_where_they_are_installed(monkeypatch, tmp_path):
    (tmp_path / "systemd").mkdir()
    monkeypatch.setattr(service_unit, "__file__", str(tmp_path / "cli" / "service_unit.py"))
    assert service_unit.unit_folder() == tmp_path / "systemd"


def test_where_the_debian_package_is_installed_its_own_unit_is_used(monkeypatch, tmp_path):
    packaged = tmp_path / NAME
    packaged.touch()
    monkeypatch.setattr(service_unit, "PACKAGED", packaged)
    assert by_name(system_unit(OPT, gpu=False, password=False))[NAME] is None  # or it is hidden
    other = Path("/opt/other/bin/ast-edge")
    assert str(other) in by_name(system_unit(other, gpu=False, password=False))[NAME]
