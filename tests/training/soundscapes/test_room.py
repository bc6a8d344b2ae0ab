import numpy as np
import pytest
from rigs.training.packs import RATE, tone
from scipy.signal import fftconvolve

from ast_training.soundscapes.room import made_response, measured_response, reverberate


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(5))
def test_a_made_response_begins_with_its_direct_sound_and_decays(seed):
    response = made_response(RATE, rng(seed))
    reverberation = np.square(response[1:])
    half = len(reverberation) // 2
    assert response[0] > 0
    assert reverberation[half:].sum() < 0.01 * reverberation[:half].sum()


def test_a_measured_response_is_cut_to_its_direct_sound():
    recorded = np.zeros(2 * RATE, np.float32)
    recorded[500], recorded[900] = -0.8, 0.3
    response = measured_response(recorded, RATE)
    assert response[0] == np.float32(-0.8)
    assert response[400] == np.float32(0.3)
    assert len(response) < RATE


def test_reverberation_is_convolution():
    dry, response = tone(700), made_response(RATE, rng())
    np.testing.assert_allclose(reverberate(dry, response), fftconvolve(dry, response), atol=1e-4)
