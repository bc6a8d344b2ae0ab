"""What the page tells of texts that are not its own."""

import pytest

from ast_edge.base.secret_values import hide
from ast_edge.web.page_state import LONGEST, shown


@pytest.mark.parametrize(
    ("said", "is_shown"),
    [
        ("/home/me/private/x.wav: no such file", "…: no such file"),
        ("cannot read '/etc/secret' now", "cannot read '…' now"),
        ("~/notes/key.pem", "…"),
        ("rtsp://me:word@camera/live is gone", "rtsp://***@camera/live is gone"),
        ("3 m/s and 1/2", "3 m/s and 1/2"),
        ("broker.local:1883: refused", "broker.local:1883: refused"),
    ],
)
def test_paths_and_passwords_are_left_out(said, is_shown):
    assert shown(said) == is_shown


def test_a_secret_of_the_configuration_is_left_out():
    hide("hunter22", "***")
    assert "hunter22" not in shown("the broker says hunter22")


def test_what_a_screen_obeys_is_left_out_and_all_is_short():
    assert "\x1b" not in shown("\x1b[2J")
    assert len(shown("x" * 10_000)) == LONGEST


def test_the_state_names_neither_file_nor_process(house, visitor):
    state = visitor.get("api/state")
    assert not {"config", "pid", "web"} & state.keys()
    assert str(house.path.parent) not in str(state)
