import numpy as np
import pytest

from ast_edge.level import FLOOR_DBFS, measure


def test_a_full_scale_sine_has_a_peak_of_0_and_an_rms_of_minus_3():
    tone = np.sin(2 * np.pi * np.arange(1000) / 100).astype(np.float32)
    level = measure(tone)
    assert (level.peak, level.rms) == pytest.approx((0.0, -3.01), abs=0.01)


@pytest.mark.parametrize("samples", [0, 100])
def test_silence_has_the_lowest_level(samples):
    level = measure(np.zeros((samples, 1), np.float32))
    assert (level.peak, level.rms) == pytest.approx((FLOOR_DBFS, FLOOR_DBFS))
