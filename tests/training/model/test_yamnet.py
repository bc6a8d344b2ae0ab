import itertools

import pytest
import torch

from ast_training.model.yamnet import CHANNELS, FRAMES, HOP, window_starts, yamnet_features


@pytest.mark.parametrize("frames", [1, 95, 96, 97, 160, 161, 400, 1024])
def test_windows_cover_all_and_lie_close(frames):
    starts = window_starts(frames)
    assert starts[0] == 0
    assert starts[-1] == max(0, frames - FRAMES) or len(starts) == 1
    assert all(0 < b - a <= HOP + 1 for a, b in itertools.pairwise(starts))


def test_its_window_becomes_32_times_smaller():
    with torch.inference_mode():
        assert yamnet_features()(torch.zeros(2, 1, FRAMES, 64)).shape == (2, CHANNELS, 3, 2)
