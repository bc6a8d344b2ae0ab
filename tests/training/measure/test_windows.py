import numpy as np

from ast_edge.frontend.fbank import LOG_FLOOR
from ast_training.measure.windows import windows_of


def features(count):
    return np.arange(count, dtype=np.float32)[:, None].repeat(3, axis=1)


def test_windows_begin_every_hop_and_the_last_ends_with_the_recording():
    starts = [int(window[0, 0]) for window in windows_of(features(55), 32, 10)]
    assert starts == [0, 10, 20, 23]


def test_no_window_comes_twice():
    starts = [int(window[0, 0]) for window in windows_of(features(52), 32, 10)]
    assert starts == [0, 10, 20]


def test_a_short_recording_has_silence_before_it_as_at_the_edge():
    (window,) = windows_of(features(4), 10, 5)
    assert (window[:6] == np.float32(LOG_FLOOR)).all()
    np.testing.assert_array_equal(window[6:], features(4))
