import numpy as np
import pytest
import torch
import torchaudio

from ast_training.teacher.mel_image import BLOCK, Doubling, MelImage


@pytest.mark.parametrize("length", [BLOCK - 1, BLOCK, 10 * BLOCK + 1])
def test_doubling_is_torchaudios_resampling(length):
    sound = torch.randn(2, length, generator=torch.Generator().manual_seed(1))
    expected = torchaudio.functional.resample(sound, 16000, 32000)
    torch.testing.assert_close(Doubling()(sound), expected, atol=1e-6, rtol=0)


def test_silence_is_the_floor():
    image = MelImage()(torch.zeros(1, 16000))
    floor = (np.log(1e-5) + 4.5) / 5
    torch.testing.assert_close(image, torch.full((1, 1, 128, 100), floor, dtype=torch.float32))


def test_a_tone_is_in_the_mel_band_of_its_pitch():
    time = torch.arange(16000) / 16000
    image = MelImage()(torch.sin(2 * torch.pi * 1000 * time)[None])[0, 0]
    mel = [1127 * np.log(1 + hz / 700) for hz in (1000, 15000)]  # Kaldi's, from 0 Hz
    assert abs(image.mean(1).argmax() - (mel[0] / mel[1] * 129 - 1)) <= 1
