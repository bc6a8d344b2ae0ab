import numpy as np
import pytest

from ast_edge.audio.level import FLOOR_DBFS, measure


def test_a_full_scale_sine_has_a_peak_of_0_and_an_rms_of_minus_3():
    tone = np.sin(2 * np.pi * np.arange(1000) / 100).astype(np.float32)
    level = measure(tone)
    assert (level.peak, level.rms) == pytest.approx((0.0, -3.01), abs=0.01)


@pytest.mark.parametrize("samples", [0, 100])
def test_silence_has_the_lowest_level(samples):
    level = measure(np.zeros((samples, 1), np.float32))
    assert (level.peak, level.rms) == pytest.approx((FLOOR_DBFS, FLOOR_DBFS))


@pytest.mark.parametrize("offsets", [(0.25,), (0.25, -0.5)])
def test_a_constant_offset_is_no_sound(offsets):
    tone = 0.1 * np.sin(2 * np.pi * np.arange(1000) / 100)
    samples = np.stack([tone + offset for offset in offsets], axis=1).astype(np.float32)
    level = measure(samples)
    assert (level.peak, level.rms) == pytest.approx((-20.0, -23.01), abs=0.01)
    assert measure(np.full((1000, 2), offsets[0], np.float32)).peak == pytest.approx(FLOOR_DBFS)
