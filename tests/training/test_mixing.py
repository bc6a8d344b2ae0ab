from collections import Counter

import numpy as np
import pytest
from rigs.packs import Pack, hiss, make_recipe, tone

from ast_edge.errors import ConfigError
from ast_edge.fbank import LOG_FLOOR, FbankSpec
from ast_training.mixing import Mixer, active_frames
from ast_training.packs import MixConfig
from ast_training.recordings import AudioCache, read_recordings

SPEC = FbankSpec()
FRAMES = 48
CALM = MixConfig(second=0, background=0, negatives=0, freq_mask=0, time_mask=0)
"""One recording and nothing else."""


@pytest.fixture
def packs(tmp_path):
    sounds, noise = Pack(tmp_path / "sounds"), Pack(tmp_path / "noise")
    sounds.add("whistle.wav", "whistle", tone(3000))
    sounds.add("hum.wav", "hum", tone(200))
    sounds.add("hiss.wav", "other", hiss(1))
    noise.add("fan.wav", "fan", hiss(2, seconds=0.2))
    labels = {"whistle": "Whistle", "hum": "Hum"}
    return {"sounds": sounds.config(labels=labels), "noise": noise.config(background=True)}


def make_mixer(packs, mix, spec=SPEC, frames=FRAMES, seed=3):
    recordings = read_recordings(make_recipe(packs))
    events, noise = (
        AudioCache([r for r in recordings if r.background == background], spec.sample_rate)
        for background in (False, True)
    )
    return Mixer(events, noise, labels=2, frames=frames, spec=spec, mix=mix, seed=seed)


def examples(mixer, count):
    return [mixer.example(2, n) for n in range(count)]


def test_the_same_seed_makes_the_same_example(packs):
    first, second = (make_mixer(packs, MixConfig()).example(1, 4) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_an_example_does_not_depend_on_those_before_it(packs):
    fresh, used = make_mixer(packs, MixConfig()), make_mixer(packs, MixConfig())
    examples(used, 3)
    np.testing.assert_array_equal(fresh.example(1, 4)[0], used.example(1, 4)[0])


@pytest.mark.parametrize(("seed", "epoch", "position"), [(2, 1, 4), (3, 2, 4), (3, 1, 5)])
def test_another_seed_epoch_or_position_makes_another_example(packs, seed, epoch, position):
    first = make_mixer(packs, MixConfig()).example(1, 4)[0]
    other = make_mixer(packs, MixConfig(), seed=seed).example(epoch, position)[0]
    assert not np.array_equal(first, other)


def test_an_epoch_has_as_many_examples_as_the_recipe_says(packs):
    assert len(make_mixer(packs, MixConfig(examples_per_epoch=7))) == 7


def test_examples_are_finite_windows_with_targets(packs):
    for features, targets in examples(make_mixer(packs, MixConfig()), 30):
        assert (features.shape, features.dtype) == ((FRAMES, 128), np.float32)
        assert (targets.shape, targets.dtype) == ((2,), np.float32)
        assert np.isfinite(features).all()
        assert set(targets) <= {0.0, 1.0}


@pytest.mark.parametrize("frames", [1, 3, 300])
def test_windows_may_be_shorter_and_longer_than_the_recordings(packs, frames):
    for features, _ in examples(make_mixer(packs, MixConfig(), frames=frames), 5):
        assert features.shape == (frames, 128)


def has_energy(features, hertz):
    """Tell whether the band around a frequency stands out of the median of the others."""
    mels = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(8000 / 700), 130)[1:-1]
    band = np.abs(mels - 1127 * np.log1p(hertz / 700)).argmin()
    loudest = features[:, band - 2 : band + 3].max()
    return loudest > np.median(features.max(axis=0)) + 2


def test_targets_are_what_sounds(packs):
    mix = CALM.model_copy(update={"second": 1.0, "second_db": (0.0, 0.0), "negatives": 0.3})
    seen = Counter()
    for features, targets in examples(make_mixer(packs, mix), 40):
        assert [has_energy(features, 3000), has_energy(features, 200)] == [bool(t) for t in targets]
        seen[tuple(targets)] += 1
    assert set(seen) == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_negatives_come_in_their_share(packs):
    mix = MixConfig(second=0.5, background=0, negatives=0.25)
    held = [targets.any() for _, targets in examples(make_mixer(packs, mix, frames=2), 1000)]
    assert np.mean(np.logical_not(held)) == pytest.approx(0.25, abs=0.05)


def test_rare_labels_are_drawn_as_often_as_frequent_ones(tmp_path):
    pack = Pack(tmp_path / "uneven")
    for take in range(9):
        pack.add(f"hum-{take}.wav", "hum", tone(200, 0.1))
    pack.add("whistle.wav", "whistle", tone(3000, 0.1))
    packs = {"uneven": pack.config(labels={"hum": "Hum", "whistle": "Whistle"})}
    targets = [t for _, t in examples(make_mixer(packs, CALM, frames=2), 1000)]
    assert np.mean(targets, axis=0) == pytest.approx([0.5, 0.5], abs=0.05)


@pytest.mark.parametrize("level", [-40.0, -20.0])
def test_the_loudest_part_has_the_wanted_level(packs, level):
    mixer = make_mixer(packs, CALM.model_copy(update={"level_dbfs": (level, level)}))
    full = make_mixer(packs, CALM.model_copy(update={"level_dbfs": (-10.0, -10.0)}))
    for seed in range(5):
        quiet, loud = mixer.example(seed, 0)[0], full.example(seed, 0)[0]
        decibels = (loud.max() - quiet.max()) * 10 / np.log(10)  # features are of power
        assert decibels == pytest.approx(-10 - level, abs=0.1)


def test_level_counts_tenths_of_a_second_at_every_sample_rate(packs):
    # A tone of full length: its RMS is its level, whatever the part that is measured.
    for rate in (8000, 16000, 32000):
        mixer = make_mixer(packs, CALM, spec=FbankSpec(sample_rate=rate, mel_bins=64))
        part = np.full(rate // 10, 0.5, np.float32)
        wave = np.concatenate([np.zeros_like(part), part, np.zeros_like(part)])
        assert mixer._loudness(wave) == pytest.approx(0.5)


def test_background_fills_the_whole_window(packs):
    mix = MixConfig(second=0, background=1, snr_db=(0, 0), freq_mask=0, time_mask=0)
    features, _ = make_mixer(packs, mix, frames=200).example(0, 1)
    assert (features[:, 10:].max(axis=1) > LOG_FLOOR + 3).all()


def test_without_backgrounds_none_is_mixed_in(packs):
    del packs["noise"]
    mix = CALM.model_copy(update={"background": 1.0})
    features, _ = make_mixer(packs, mix, frames=200).example(0, 1)
    assert features[0].max() == pytest.approx(LOG_FLOOR, abs=1e-3)


def test_silent_recordings_stay_silent(tmp_path):
    pack = Pack(tmp_path / "silent")
    pack.add("a.wav", "hum", np.zeros(16000, np.float32))
    mixer = make_mixer({"silent": pack.config(labels={"hum": "Hum"})}, CALM)
    assert mixer.example(0, 1)[0].max() == pytest.approx(LOG_FLOOR, abs=1e-3)


@pytest.mark.parametrize("rows", [[], ["hiss"]])
def test_recordings_without_any_label_cannot_be_trained_on(tmp_path, rows):
    pack = Pack(tmp_path / "none")
    for row in rows:
        pack.add(f"{row}.wav", row, hiss(1))
    with pytest.raises(ConfigError, match="expected recordings with a label"):
        make_mixer({"none": pack.config(labels={"hum": "Hum"})}, CALM)


# Where a recording sounds


def click(at, seconds=2.0):
    samples = np.zeros(round(seconds * 16000), np.float32)
    samples[at : at + 400] = hiss(3, 0.025)
    return samples


@pytest.mark.parametrize("at", [0, 5000, 16123, 31600])
def test_the_sounding_part_of_a_padded_click_is_found(at):
    moments = active_frames(click(at), SPEC)
    assert len(moments)
    assert (np.abs(moments - (at + 200)) < 400).all()


def test_a_steady_sound_is_active_throughout():
    moments = active_frames(tone(440, 1.0), SPEC)
    np.testing.assert_array_equal(moments, np.arange(98) * 160 + 200)


@pytest.mark.parametrize("samples", [np.zeros(16000, np.float32), tone(440, 0.01)])
def test_silence_and_what_is_shorter_than_a_frame_have_no_active_part(samples):
    assert len(active_frames(samples, SPEC)) == 0


def test_a_click_in_a_long_silence_is_always_in_the_window(tmp_path):
    pack = Pack(tmp_path / "clicks")
    pack.add("click.wav", "hum", click(20000))
    mixer = make_mixer({"clicks": pack.config(labels={"hum": "Hum"})}, CALM)
    for features, _ in examples(mixer, 20):
        assert features.max() > LOG_FLOOR + 3
