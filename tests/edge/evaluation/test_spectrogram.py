import io

import numpy as np
import pytest

from ast_edge.evaluation.spectrogram import MAX_COLUMNS, draw_png

image = pytest.importorskip("PIL.Image", reason="pillow is not installed")


def pixels(spectrogram):
    """Opacity (rows, columns) as another program reads it."""
    picture = image.open(io.BytesIO(draw_png(spectrogram)))
    assert picture.mode == "LA"
    return np.array(picture)[..., 1]


def test_loud_is_dark_and_low_is_below():
    spectrogram = np.full((40, 8), -16, np.float16)
    spectrogram[10:20, 1] = 0.0
    opacity = pixels(spectrogram)
    assert opacity.shape == (8, 40)
    assert np.all(opacity[6, 10:20] == 255)
    assert opacity.sum() == 10 * 255


def test_a_long_recording_has_a_picture_of_a_bounded_size():
    rows, columns = pixels(np.random.default_rng(0).normal(size=(5001, 8)).astype(np.float16)).shape
    assert rows == 8
    assert columns <= MAX_COLUMNS


def test_silence_can_be_drawn():
    assert not pixels(np.full((5, 8), -16, np.float16)).any()
