"""Where the token comes from, and what a session is worth."""

import pytest
from pydantic import ValidationError

from ast_edge.base.errors import ConfigError
from ast_edge.monitoring.web_config import WebConfig
from ast_edge.monitoring.web_token import is_loopback
from ast_edge.web.access import SESSION_SECONDS, Access, open_access

TOKEN = "a token of the tests"


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch):
    monkeypatch.delenv("AST_EDGE_WEB_TOKEN", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def test_a_page_for_others_needs_a_token_and_is_refused_with_78_without():
    with pytest.raises(ConfigError, match="there is no token: give") as refusal:
        open_access(WebConfig(listen="0.0.0.0:8099"), "attic")
    assert refusal.value.exit_code == 78


@pytest.mark.parametrize(
    ("listen", "own"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("192.168.1.2:1", False),
        ("host.lan:1", False),
    ],
)
def test_only_loopback_is_this_machine_alone(listen, own):
    assert is_loopback(listen) is own


def test_a_token_that_is_made_is_kept_for_this_user_alone(state_folder):
    first = open_access(WebConfig(), "attic")
    (kept,) = state_folder.glob("web-token-*")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert first.admits(kept.read_text().strip())
    assert open_access(WebConfig(), "attic").fragment == first.fragment != ""


def test_a_token_that_is_given_stands_in_no_link(tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\nmore\n")
    monkeypatch.setenv("AST_EDGE_WEB_TOKEN", "another token, longer")
    access = open_access(WebConfig(token_file=file, listen="0.0.0.0:1"), "attic")
    assert access.admits(TOKEN)
    assert access.fragment == ""


def test_the_environment_comes_before_the_credential(tmp_path, monkeypatch):
    (tmp_path / "web-token").write_text(TOKEN)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert open_access(WebConfig(), "attic").admits(TOKEN)
    monkeypatch.setenv("AST_EDGE_WEB_TOKEN", "another token, longer")
    assert open_access(WebConfig(), "attic").admits("another token, longer")


@pytest.mark.parametrize("token", ["", "short", "schlüssel mit umlaut"])
def test_a_token_that_can_be_guessed_or_not_be_typed_is_refused(token):
    with pytest.raises(ConfigError, match=r"web\.token: expected at least 12"):
        open_access(WebConfig(token=token), "attic")


def test_a_refusal_does_not_quote_the_token():
    with pytest.raises(ValidationError) as refusal:
        WebConfig(token=["secret-secret"])
    assert "secret-secret" not in str(refusal.value).split("input_value")[0]


def test_a_folder_that_cannot_be_written_costs_the_memory_of_the_token_only(
    monkeypatch, tmp_path, caplog
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "file"))
    assert open_access(WebConfig(), "attic").fragment
    assert "for this start only" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_session_outlives_a_restart_and_ends_with_its_time_or_another_token():
    now = [1000.0]
    session = Access(TOKEN, made=False, wall=lambda: now[0]).begin_session()
    restarted = Access(TOKEN, made=False, wall=lambda: now[0])
    assert restarted.knows(session)
    assert not Access(TOKEN + "!", made=False, wall=lambda: now[0]).knows(session)
    now[0] += SESSION_SECONDS + 1
    assert not restarted.knows(session)


@pytest.mark.parametrize(
    "forged", ["", ".", "9999999999", "9999999999.", "x.y", "é.é", "\udcff.\udcff", "1" * 9999]
)
def test_a_forged_session_is_none(forged):
    assert not Access(TOKEN, made=False).knows(forged)


def test_a_session_whose_time_was_changed_is_none():
    access = Access(TOKEN, made=False)
    expiry, _, signature = access.begin_session().partition(".")
    assert not access.knows(f"{int(expiry) + 1}.{signature}")
