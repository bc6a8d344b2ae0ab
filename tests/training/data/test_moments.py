import math

import numpy as np
import pytest

from ast_training.data.moments import Moments, statistics


def test_are_mean_and_deviation_of_all_values():
    rng = np.random.default_rng(0)
    fbanks = [rng.normal(-6, 4, (frames, 128)).astype(np.float32) for frames in (3, 50, 1)]
    values = np.concatenate(fbanks).astype(np.float64)
    assert statistics(iter(fbanks)) == pytest.approx((values.mean(), values.std()), rel=1e-12)


def test_a_clip_without_a_frame_changes_nothing():
    fbank = np.array([[1.0, 3.0]], np.float32)
    assert statistics([fbank, np.empty((0, 2), np.float32)]) == (2.0, 1.0)


def test_nothing_has_no_mean():
    assert math.isnan(statistics([])[0])
    assert math.isnan(statistics([])[1])


def test_sums_of_parts_are_those_of_the_whole():
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    assert Moments.of(values[:2]) + Moments.of(values[2:]) == Moments.of(values)
