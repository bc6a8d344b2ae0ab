import numpy as np
import pytest

from ast_training.data.augmentation import MIXUP_ALPHA, add_noise, fit_length, mask, mixup, roll

# Mixup


def test_mixup_weights_both_waveforms_by_the_share():
    mixed = mixup(np.full(4, 1, np.float32), np.full(4, -2, np.float32), 0.75)
    assert mixed.tolist() == [0.25] * 4
    assert mixed.dtype == np.float32


@pytest.mark.parametrize(
    ("partner", "expected"), [([8, 8, 8, 8, 8], [3, 3, 3]), ([8], [3, 1, 1]), ([], [1, 1, 1])]
)
def test_a_partner_is_cut_or_padded_with_silence_to_the_length_of_the_first(partner, expected):
    mixed = mixup(np.full(3, 4 / 3, np.float32), np.array(partner, np.float32), 0.75)
    assert mixed == pytest.approx(expected)


def test_mixing_leaves_its_inputs_alone():
    first, second = np.ones(3, np.float32), np.ones(2, np.float32)
    mixup(first, second, 0.4)
    assert first.tolist() == [1, 1, 1]
    assert second.tolist() == [1, 1]


def test_shares_are_those_of_the_paper():
    # Moments of Beta(10, 10): mean 1/2, variance 1 / (4 * 21).
    shares = np.random.default_rng(0).beta(MIXUP_ALPHA, MIXUP_ALPHA, 100_000)
    assert shares.mean() == pytest.approx(0.5, abs=0.002)
    assert shares.var() == pytest.approx(1 / 84, rel=0.02)


# Length


def counted(frames, bins=3):
    return np.arange(1, frames + 1, dtype=np.float32)[:, None].repeat(bins, axis=1)


def test_a_short_clip_is_padded_at_its_end_with_zero_in_the_logarithmic_domain():
    assert fit_length(counted(2), 4)[:, 0].tolist() == [1, 2, 0, 0]


def test_a_long_clip_keeps_its_head():
    assert fit_length(counted(5), 3)[:, 0].tolist() == [1, 2, 3]


def test_a_long_clip_is_cut_from_the_wanted_start():
    assert fit_length(counted(5), 3, start=2)[:, 0].tolist() == [3, 4, 5]


def test_a_clip_without_a_frame_is_all_padding():
    assert fit_length(counted(0), 4).tolist() == np.zeros((4, 3)).tolist()


@pytest.mark.parametrize(
    ("mean", "std", "loud"),
    [
        (-4.2677393, 4.5689974, 0.46703),
        (-6.6268077, 5.358466, 0.61835),
        (-6.845978, 5.5654526, 0.61504),
    ],
)
def test_padding_is_what_the_published_checkpoints_saw(mean, std, loud):
    padding = fit_length(np.empty((0, 1), np.float32), 1)
    assert (padding - mean) / (2 * std) == pytest.approx(loud, abs=1e-5)


# SpecAugment


def masks(freq_mask, time_mask, frames=40, bins=30, draws=2000):
    rng = np.random.default_rng(0)
    ones = np.ones((frames, bins), np.float32)
    return [mask(ones, freq_mask, time_mask, rng) == 0 for _ in range(draws)]


def test_frequency_masks_are_one_band_over_all_frames():
    for zeros in masks(8, 0):
        band = np.flatnonzero(zeros[0])
        assert (zeros == zeros[0]).all()
        assert not len(band) or band[-1] - band[0] == len(band) - 1


def test_time_masks_are_one_stretch_over_all_bins():
    for zeros in masks(0, 8):
        stretch = np.flatnonzero(zeros[:, 0])
        assert (zeros == zeros[:, :1]).all()
        assert not len(stretch) or stretch[-1] - stretch[0] == len(stretch) - 1


@pytest.mark.parametrize("axis", [0, 1])
def test_masks_are_evenly_zero_to_one_less_than_their_parameter_wide(axis):
    drawn = masks(8, 0) if axis else masks(0, 8)
    widths = [int(zeros.any(axis=1 - axis).sum()) for zeros in drawn]
    assert np.bincount(widths, minlength=8) / len(widths) == pytest.approx([1 / 8] * 8, abs=0.03)


@pytest.mark.parametrize(("parameter", "size", "mean"), [(48, 128, 23.5), (192, 1024, 95.5)])
def test_mean_widths_are_those_of_the_published_recipes(parameter, size, mean):
    widths = [zeros.sum() for zeros in masks(parameter, 0, frames=1, bins=size)]
    assert np.mean(widths) == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize("axis", [0, 1])
def test_masks_reach_every_place_but_the_last_by_their_start(axis):
    # A start is floor(U * (size - width)): a mask never touches the last bin or frame.
    drawn = masks(5, 0, bins=10) if axis else masks(0, 5, frames=10)
    covered = np.any([zeros.any(axis=1 - axis) for zeros in drawn], axis=0)
    assert covered.tolist() == [True] * 9 + [False]


def test_masks_wider_than_the_features_leave_something():
    assert not any(zeros.all() for zeros in masks(500, 500))


def test_no_mask_is_written_without_a_parameter():
    assert not any(zeros.any() for zeros in masks(0, 0, draws=20))


def test_masking_leaves_the_input_alone():
    features = np.ones((40, 30), np.float32)
    for seed in range(10):
        mask(features, 24, 24, np.random.default_rng(seed))
    assert (features == 1).all()


# Noise and roll


def test_noise_is_uniform_up_to_a_uniform_tenth_once_the_model_has_normalised():
    mean, std = -6.8, 5.5
    rng = np.random.default_rng(0)
    features = rng.normal(mean, std, (100, 128)).astype(np.float32)
    strengths = []
    for _ in range(300):
        noisy = add_noise(features, std, rng)
        noise = ((noisy - mean) / (2 * std) - (features - mean) / (2 * std)).astype(np.float64)
        assert noise.min() > -1e-5
        assert noise.mean() == pytest.approx(noise.max() / 2, abs=1e-3)
        strengths.append(noise.max())
    # Moments of U(0, 1) / 10: mean 1/20, variance 1 / 1200.
    assert max(strengths) < 0.1
    assert np.mean(strengths) == pytest.approx(0.05, abs=0.006)
    assert np.std(strengths) == pytest.approx(0.1 / np.sqrt(12), rel=0.1)


def test_roll_shifts_by_minus_n_to_n_minus_one_frames_around_the_end():
    rng, shifts = np.random.default_rng(0), set()
    for _ in range(500):
        rolled = roll(counted(40), 10, rng)
        shift = int(np.flatnonzero(rolled[:, 0] == 1)[0])
        assert (np.roll(rolled, -shift, axis=0) == counted(40)).all()
        shifts.add(shift if shift < 20 else shift - 40)
    assert shifts == set(range(-10, 10))
