"""The archive for a bug report: what is in it, and that nothing is written unasked."""

import io
import json
import tarfile

import pytest
import yaml

from ast_edge.base.runtime_folder import runtime_folder
from ast_edge.cli.main import main
from ast_edge.monitoring.status_socket import StatusSocket

SECRET = "hunter22"


@pytest.fixture
def config(tmp_path, tiny_model):
    tree = {
        "bundle": str(tiny_model),
        "sources": {"a": {"stdin": "s16le"}},
        "mqtt": {"host": "127.0.0.1", "port": 1, "username": "me", "password": SECRET},
    }
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "report.tar.gz"


def support(config, out, *options):
    return main(["support", "--config", str(config), "--out", str(out), *options])


def read(out):
    with tarfile.open(out) as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read().decode()
            for member in archive.getmembers()
        }


def test_it_has_versions_configuration_status_log_and_doctor_without_secrets(config, out):
    assert support(config, out, "--yes") == 0
    parts = read(out)
    names = {"version.txt", "configuration.yaml", "status.json", "log.txt", "doctor.txt"}
    assert names <= parts.keys()
    assert SECRET not in str(parts)
    assert yaml.safe_load(parts["configuration.yaml"])["sources"]["a"] == {"stdin": "s16le"}
    assert "FAIL broker" in parts["doctor.txt"]


def test_only_its_owner_may_read_it(config, out):
    assert support(config, out, "--yes", "--no-doctor") == 0
    assert out.stat().st_mode & 0o777 == 0o600


def test_it_lists_what_is_in_it_and_writes_nothing_without_a_yes(config, out, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert support(config, out, "--no-doctor") == 1
    said = capsys.readouterr().out
    assert "configuration.yaml" in said
    assert said.endswith("nothing was written\n")
    assert not out.exists()


def test_all_of_it_can_be_read_before_it_is_written(config, out, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("s\ny\n"))
    assert support(config, out, "--no-doctor") == 0
    before, _, _ = capsys.readouterr().out.rpartition("Write ")
    assert all(line in before for line in read(out)["configuration.yaml"].splitlines())


def test_without_a_configuration_given_that_of_the_running_daemon_is_taken(config, out):
    status = {"config": str(config), "web": f"http://127.0.0.1:8099/#token={SECRET}"}
    socket = StatusSocket(runtime_folder() / "attic.sock", lambda: json.dumps(status).encode())
    try:
        assert main(["support", "--out", str(out), "--yes", "--no-doctor"]) == 0
    finally:
        socket.close()
    parts = read(out)
    assert "configuration.yaml" in parts
    assert json.loads(parts["status.json"])["config"] == str(config)
    assert SECRET not in str(parts)


def test_a_configuration_that_cannot_be_read_is_no_reason_to_give_up(tmp_path, out):
    path = tmp_path / "broken.yaml"
    path.write_text("sources: [")
    assert support(path, out, "--yes") == 0
    assert "not YAML" in read(out)["configuration.yaml"]
    assert "not YAML" in read(out)["doctor.txt"]


def test_a_file_that_is_there_is_not_written_over(config, capsys):
    before = config.read_text()
    assert support(config, config, "--yes", "--no-doctor") == 74
    assert "is there already" in capsys.readouterr().err
    assert config.read_text() == before


def test_an_archive_that_cannot_be_written_is_one_line(config, tmp_path, capsys):
    assert support(config, tmp_path / "none/r.tar.gz", "--yes", "--no-doctor") == 74
    assert "cannot be written: No such file" in capsys.readouterr().err


def test_a_configuration_that_is_not_there_is_a_mistake(tmp_path, out, capsys):
    assert support(tmp_path / "none.yaml", out, "--yes") == 78
    assert "no such file" in capsys.readouterr().err
