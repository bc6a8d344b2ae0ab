"""What is written is there whole, and what was there is kept."""

import stat

import pytest
import yaml

from ast_edge.base.errors import ConfigError
from ast_edge.cli.setup.files import add_secret, put_files
from ast_edge.evaluation.errors import OutputError


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_one_before_is_kept_beside_and_those_before_it_as_well(tmp_path):
    path = tmp_path / "mic.yaml"
    for text in ("a\n", "b\n", "c\n"):
        put_files(path, text, None)
    names = {one.name: one.read_text() for one in tmp_path.iterdir()}
    assert names == {"mic.yaml": "c\n", "mic.yaml.old": "a\n", "mic.yaml.old-2": "b\n"}


def test_the_same_again_keeps_nothing(tmp_path):
    assert put_files(tmp_path / "mic.yaml", "a\n", None) is None
    assert put_files(tmp_path / "mic.yaml", "a\n", None) is None
    assert [one.name for one in tmp_path.iterdir()] == ["mic.yaml"]


def test_passwords_are_for_their_owner_alone_and_the_configuration_keeps_its_rights(tmp_path):
    path = tmp_path / "mic.yaml"
    path.write_text("a\n")
    path.chmod(0o640)
    kept = put_files(path, "b\n", "broker: x\n")
    assert mode(tmp_path / "secrets.yaml") == 0o600
    assert (mode(path), mode(kept)) == (0o640, 0o640)


def test_a_link_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "mic.yaml").symlink_to(tmp_path / "real" / "mine.yaml")
    put_files(tmp_path / "mic.yaml", "a\n", None)
    assert (tmp_path / "mic.yaml").is_symlink()
    assert (tmp_path / "real" / "mine.yaml").read_text() == "a\n"


def test_what_cannot_be_written_leaves_everything_as_it_was(tmp_path):
    path = tmp_path / "mic.yaml"
    path.write_text("a\n")
    (tmp_path / "mic.yaml.partial").mkdir()  # in the way
    with pytest.raises(OutputError, match="nothing was changed") as caught:
        put_files(path, "b\n", "broker: x\n")
    assert caught.value.exit_code == 74
    assert path.read_text() == "a\n"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mic.yaml", "mic.yaml.partial"]


@pytest.mark.parametrize("password", ["s3cret", "a${b} #'\"\\", "0123", "ä: 🎤", "null"])
def test_a_password_is_added_to_the_others(password, tmp_path):
    (tmp_path / "secrets.yaml").write_text("# mine\nbroker: another\ncamera: 'x'")
    secret = add_secret(tmp_path / "mic.yaml", password)
    assert secret.text.startswith("# mine\nbroker: another\ncamera: 'x'\n")
    assert yaml.safe_load(secret.text) == {
        "broker": "another",
        "camera": "x",
        secret.name: password,
    }


def test_a_password_that_is_there_is_named_again(tmp_path):
    (tmp_path / "secrets.yaml").write_text("broker: s3cret\n")
    secret = add_secret(tmp_path / "mic.yaml", "s3cret")
    assert (secret.name, secret.text) == ("broker", None)


@pytest.mark.parametrize("text", ["{broker: x}", "- x", "hunter2", "a: [x", "x: b: c"])
def test_a_file_of_passwords_that_cannot_be_added_to_is_said_without_quoting_it(text, tmp_path):
    (tmp_path / "secrets.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"secrets\.yaml") as caught:
        add_secret(tmp_path / "mic.yaml", "s3cret")
    assert text not in str(caught.value)
