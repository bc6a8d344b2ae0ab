import pytest

from ast_edge.audio.health import Health
from ast_edge.monitoring.state import state_of_sound


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
