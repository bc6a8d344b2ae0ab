import pytest

from ast_edge.audio.health import Health
from ast_edge.monitoring.state import STATES, state_of_sound, state_said


@pytest.mark.parametrize("state", STATES)
def test_only_what_listens_is_said_to_be_disabled(state):
    said = state_said(state, "why", paused="snoozed")
    assert said == (("disabled", "snoozed") if state == "listening" else (state, "why"))


@pytest.mark.parametrize("state", STATES)
def test_what_is_not_paused_is_said_as_it_is(state):
    assert state_said(state, "why", paused="") == (state, "why")


@pytest.mark.parametrize(
    ("condition", "state", "detail"),
    [
        ("ok", "listening", "why"),
        ("waiting", "listening", ""),
        ("stalled", "listening", ""),
        ("muted", "muted", "why"),
        ("clipping", "clipping", "why"),
        ("drifting", "drifting", "why"),
    ],
)
def test_a_source_whose_sound_arrives_is_neither_lost_nor_better_than_it_says(
    condition, state, detail
):
    assert state_of_sound(Health(condition, "why")) == (state, detail)
