import numpy as np
import pytest
from parts.stream_side import answer, listen

from ast_edge.frontend.gate import GateSettings


@pytest.fixture
def sounds():
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * 16_000).astype(np.float32)
    return [noise, np.zeros_like(noise)]


def test_each_sound_is_heard_in_each_setting(framed_model, sounds):
    gate = GateSettings(level=-45)
    found = listen(framed_model, 1, sounds, [(0.5, None, None), (0.5, gate, None)])
    skipped = [[share for share, _ in of_sound] for of_sound in found]
    assert skipped == [[0, 0], [0, 1]]
    assert all(cost > 0 for of_sound in found for _, cost in of_sound)


def test_sound_longer_than_the_window_is_answered_by_its_end(framed_model, sounds):
    noise, silence = sounds
    _, expected = answer(framed_model, 1, silence)
    _, found = answer(framed_model, 1, np.concatenate([noise, silence]))
    np.testing.assert_allclose(found, expected, atol=1e-6)
