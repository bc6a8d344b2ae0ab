from collections import Counter

import numpy as np
import pytest
import torch
from rigs.training.clip_lists import prepared
from rigs.training.clips import FRAMES, clip_recipe, tones
from torch.utils.data import WeightedRandomSampler

from ast_edge.base.errors import AudioError, ConfigError
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_training.data.clips import ClipSet
from ast_training.data.example import batches
from ast_training.run.clip_examples import ClipExamples, balanced_weights

SPEC = FbankSpec()
ALL = {"mixup": 0.5, "freq_mask": 48, "time_mask": 8, "noise": True, "roll": 4, "crop": "random"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tones(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def clips(folder):
    return ClipSet.open(folder)


def clip_examples(clips, indices=None, **sections):
    chosen = clips.select(splits=["train"]) if indices is None else np.array(indices)
    return ClipExamples(clips, chosen, clip_recipe(clips.folder, **sections))


def epoch_of(examples, epoch, workers, size=4):
    positions = [
        range(start, min(start + size, len(examples))) for start in range(0, len(examples), size)
    ]
    features, targets, *_ = zip(*batches(examples, epoch, positions, workers), strict=True)
    return torch.cat(features), torch.cat(targets)


class Sounds:
    """Clips of given lengths in memory, where a prepared set has files."""

    def __init__(self, lengths, labels=2):
        rng = np.random.default_rng(0)
        self.sounds = [rng.normal(0, 0.1, length).astype(np.float32) for length in lengths]
        self.labels = labels

    def samples(self, index):
        return self.sounds[index]

    def fbank(self, index, spec):
        return fbank(self.sounds[index], spec)

    def target(self, index):
        return np.eye(self.labels, dtype=np.float32)[index % self.labels]


# One clip


def test_without_augmentation_an_example_is_the_head_of_its_clip(clips):
    examples = clip_examples(clips)
    index = int(examples.order(0)[3])
    features, target, *_ = examples.example(0, 3)
    np.testing.assert_array_equal(features, clips.fbank(index, SPEC)[:FRAMES])
    np.testing.assert_array_equal(target, clips.target(index))
    assert (features.dtype, target.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize("mixup", [0.0, 1.0])
@pytest.mark.parametrize("seconds", [0.02, 0.025, 0.1, 1.0, 600.0])
def test_clips_of_any_length_fill_the_window(folder, seconds, mixup):
    sounds = Sounds([round(seconds * 16_000), 16_000])
    recipe = clip_recipe(folder, augment=ALL | {"mixup": mixup})
    examples = ClipExamples(sounds, np.arange(2), recipe)
    for position in range(2):
        features = examples.example(0, position).features
        assert features.shape == (FRAMES, 128)
        assert np.isfinite(features).all()


def test_a_clip_shorter_than_the_window_is_padded_with_zero(folder):
    examples = ClipExamples(Sounds([1600]), np.arange(1), clip_recipe(folder))
    features = examples.example(0, 0).features
    assert features[:8].all()
    assert not features[8:].any()


def test_random_crops_take_any_part_of_a_long_clip(folder):
    sounds = Sounds([8000])
    whole = sounds.fbank(0, SPEC)
    examples = ClipExamples(sounds, np.arange(1), clip_recipe(folder, augment={"crop": "random"}))
    starts = set()
    for epoch in range(200):
        first = examples.example(epoch, 0)[0][0]
        starts.add(int(np.flatnonzero((whole == first).all(axis=1))[0]))
    assert starts == set(range(len(whole) - FRAMES + 1))


def test_a_mixture_is_of_two_clips_and_its_labels_have_their_shares(folder):
    sounds = Sounds([6000, 6000])
    examples = ClipExamples(sounds, np.arange(2), clip_recipe(folder, augment={"mixup": 1.0}))
    seen = 0
    for epoch in range(20):
        index = int(examples.order(epoch)[0])
        features, target, *_ = examples.example(epoch, 0)
        assert target.sum() == pytest.approx(1)
        share = float(target[index])
        if share < 1:  # else its partner was the clip itself
            wave = share * sounds.samples(index) + (1 - share) * sounds.samples(1 - index)
            golden = fbank(wave.astype(np.float32), SPEC)[:FRAMES]
            np.testing.assert_allclose(features, golden, atol=1e-3)
            seen += 1
    assert seen


def test_clips_are_mixed_as_often_as_wanted(folder):
    examples = ClipExamples(
        Sounds([400] * 50, labels=50), np.arange(50), clip_recipe(folder, augment={"mixup": 0.6})
    )
    targets = [examples.example(epoch, p)[1] for epoch in range(20) for p in range(50)]
    mixed = np.mean([target.max() < 1 for target in targets])
    assert mixed == pytest.approx(0.6 * 49 / 50, abs=0.05)


@pytest.mark.parametrize(
    "augment",
    [
        {"mixup": 1.0},
        {"freq_mask": 48},
        {"time_mask": 8},
        {"noise": True},
        {"roll": 4},
        {"crop": "random"},
    ],
)
def test_every_augmentation_changes_some_example(clips, augment):
    plain, augmented = clip_examples(clips), clip_examples(clips, augment=augment)
    pairs = [(plain.example(0, p)[0], augmented.example(0, p)[0]) for p in range(len(plain))]
    assert any(not np.array_equal(*pair) for pair in pairs)


# An epoch


@pytest.mark.parametrize("sampler", ["shuffle", "balanced"])
def test_an_epoch_is_the_same_however_many_processes_prepare_it(clips, sampler):
    examples = clip_examples(clips, augment=ALL, sampler=sampler)
    alone, shared = epoch_of(examples, 3, 0), epoch_of(examples, 3, 2)
    # A worker multiplies matrices in one thread, which rounds otherwise.
    torch.testing.assert_close(shared, alone, rtol=0, atol=1e-5)


def test_an_epoch_may_be_cut_into_any_batches(clips):
    examples = clip_examples(clips, augment=ALL)
    torch.testing.assert_close(epoch_of(examples, 1, 0, size=9), epoch_of(examples, 1, 0, size=2))


def test_an_example_depends_on_seed_epoch_and_position_alone(clips):
    used, fresh = clip_examples(clips, augment=ALL), clip_examples(clips, augment=ALL)
    for position in range(9):
        used.example(1, position)
    np.testing.assert_array_equal(used.example(2, 5)[0], fresh.example(2, 5)[0])


@pytest.mark.parametrize("other", [{"epoch": 1}, {"seed": 2}])
def test_another_epoch_or_seed_makes_other_examples(clips, other):
    def first(epoch=0, seed=1):
        return clip_examples(clips, augment=ALL, seed=seed).example(epoch, 0)[0]

    assert np.array_equal(first(), first())
    assert not np.array_equal(first(), first(**other))


def test_every_clip_comes_once_per_epoch_in_another_order(clips):
    examples = clip_examples(clips)
    orders = [examples.order(epoch).tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(9)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


def test_no_step_is_left_of_an_epoch_that_is_done(clips):
    assert [list(batches(clip_examples(clips), 0, [], workers)) for workers in (0, 1)] == [[], []]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_clip_that_is_gone_is_one_line_whoever_prepares_it(tmp_path, workers):
    folder = tones(tmp_path, train=2, held_out=0)
    (tmp_path / "source" / "1.wav").unlink()
    examples = clip_examples(ClipSet.open(folder))
    with pytest.raises(AudioError) as caught:
        epoch_of(examples, 0, workers)
    assert str(caught.value).startswith(str(tmp_path / "source" / "1.wav"))
    assert "\n" not in str(caught.value)


# The balanced sampler


def golden_weights(rows):
    """The formula of the AST repository's README and sampler, written out."""
    count = Counter(label for row in rows for label in row)
    return [sum(1000 / (count[label] + 0.01) for label in row) for row in rows]


def test_balanced_weights_are_those_of_the_published_sampler(tmp_path):
    clips = prepared(tmp_path)
    rows = [clips[index].labels for index in range(4)]
    assert rows == [(0,), (0, 2), (), (1,)]
    golden = torch.tensor(golden_weights(rows), dtype=torch.float64)
    found = balanced_weights(clips, np.arange(4))
    assert found == pytest.approx((golden / golden.sum()).numpy())


def test_balanced_weights_count_only_the_clips_that_train(tmp_path):
    clips = prepared(tmp_path)
    golden = np.array(golden_weights([(0, 2), (1,)]))
    assert balanced_weights(clips, np.array([1, 3])) == pytest.approx(golden / golden.sum())


def test_balanced_draws_are_spread_as_those_of_torch(clips):
    # One whistle (clip 1) and four hums (all even) of the training clips.
    indices = np.array([0, 1, 2, 4, 6])
    examples = clip_examples(clips, indices, sampler="balanced")
    rows = [[index % 2] for index in indices]
    torch.manual_seed(0)
    golden = list(WeightedRandomSampler(golden_weights(rows), 20_000))
    drawn = np.concatenate([examples.order(epoch) for epoch in range(4000)])
    shares = [np.mean(drawn == index) for index in indices]
    assert shares == pytest.approx(np.bincount(golden) / 20_000, abs=0.02)


def test_the_balanced_sampler_draws_a_rare_label_as_often_as_a_frequent_one(clips):
    examples = clip_examples(clips, [0, 1, 2, 4, 6], sampler="balanced")
    drawn = np.concatenate([examples.order(epoch) for epoch in range(2000)])
    assert np.mean(drawn % 2) == pytest.approx(0.5, abs=0.02)


def test_a_balanced_epoch_has_as_many_examples_as_there_are_clips(clips):
    examples = clip_examples(clips, sampler="balanced")
    assert len(examples) == len(examples.order(0)) == 9


def test_clips_without_a_label_cannot_be_balanced(tmp_path):
    with pytest.raises(ConfigError, match="sampler"):
        balanced_weights(prepared(tmp_path), np.array([2]))
