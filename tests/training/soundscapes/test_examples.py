from collections import Counter, defaultdict

import numpy as np
import pytest
from rigs.soundscapes import make_composer, whistle_and_hum

from ast_edge.fbank import FbankSpec
from ast_edge.spec import ModelSpec
from ast_training.soundscapes.composer import PlacedEvent
from ast_training.soundscapes.example_cache import ExampleCache
from ast_training.soundscapes.examples import SoundscapeExamples, clip_targets, frame_targets

SPEC = FbankSpec()
MODEL = ModelSpec(
    labels=2, frames=100, width=12, heads=3, patch=(128, 4), stride=(128, 4), frame_head=True
)


@pytest.fixture
def examples(tmp_path):
    composer = make_composer(
        whistle_and_hum(tmp_path), negatives=0.25, distractors=0, examples_per_epoch=7
    )
    return SoundscapeExamples(composer, MODEL, SPEC, seed=3)


def test_an_example_is_a_window_with_targets_for_it_and_its_steps(examples):
    features, clip, frame = examples.example(1, 4)
    assert (features.shape, features.dtype) == ((100, 128), np.float32)
    assert (clip.shape, clip.dtype) == ((2,), np.float32)
    assert (frame.shape, frame.dtype) == ((25, 2), np.float32)


def test_an_example_does_not_depend_on_those_before_it(examples):
    first = examples.example(1, 4)
    examples.example(1, 5)
    for before, after in zip(first, examples.example(1, 4), strict=True):
        np.testing.assert_array_equal(before, after)


def test_examples_made_together_are_those_made_alone(examples):
    for position, together in zip((2, 5), examples.batch(1, [2, 5]), strict=True):
        for one, other in zip(together, examples.example(1, position), strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_epoch_has_as_many_examples_as_the_recipe_says(examples):
    assert len(examples) == 7


def test_negatives_come_in_their_share(examples):
    held = [examples.example(0, position).clip.any() for position in range(400)]
    # A few positives lie too much outside of the window to count.
    assert np.mean(np.logical_not(held)) == pytest.approx(0.3, abs=0.08)


def test_a_step_is_in_an_event_when_its_middle_is():
    targets = frame_targets([PlacedEvent(1, 0.1, 0.3)], MODEL, SPEC)
    middles = np.arange(25) * 0.04 + 0.02
    np.testing.assert_array_equal(targets[:, 1], (middles >= 0.1) & (middles < 0.3))
    assert not targets[:, 0].any()


def test_an_event_between_two_middles_is_in_the_nearest_step():
    targets = frame_targets([PlacedEvent(0, 0.105, 0.115)], MODEL, SPEC)
    assert np.flatnonzero(targets[:, 0]).tolist() == [2]


def test_a_trace_of_an_event_does_not_count_for_the_window():
    events = [PlacedEvent(0, 0.0, 0.05), PlacedEvent(1, 0.0, 0.07)]
    assert clip_targets(events, 2).tolist() == [0, 1]


def test_without_a_frame_head_there_are_no_steps():
    plain = ModelSpec(labels=2, frames=100, width=12, heads=3)
    assert frame_targets([PlacedEvent(0, 0.0, 1.0)], plain, SPEC).shape == (0, 2)


# Examples that are seen again


@pytest.fixture
def packs(tmp_path):
    return whistle_and_hum(tmp_path)


def seen_again(packs, folder=None, **changes):
    settings = {"examples_per_epoch": 12, "repeats": 3, "freq_mask": 0, "negatives": 0} | changes
    composer = make_composer(packs, **settings)
    cache = ExampleCache(folder) if folder else None
    return SoundscapeExamples(composer, MODEL, SPEC, seed=3, cache=cache)


def test_an_epoch_sees_two_thirds_of_the_one_before_again(packs):
    examples = seen_again(packs)
    first, second = (
        {examples.example(epoch, n).features.tobytes() for n in range(12)} for epoch in (4, 5)
    )
    assert len(first) == len(second) == 12
    assert len(first & second) == 8


def test_an_example_is_seen_as_often_as_the_recipe_says(packs):
    examples = seen_again(packs)
    counts = Counter(
        examples.example(epoch, n).features.tobytes() for epoch in range(5) for n in range(12)
    )
    assert Counter(counts.values()) == {3: 4 * 3, 2: 4 * 2, 1: 4 * 2}  # at both ends it is fewer


def test_the_cache_changes_no_example_but_for_its_rounding(packs, tmp_path):
    plain, cached = seen_again(packs), seen_again(packs, tmp_path / "cache")
    for _ in range(2):
        for position in range(12):
            for one, other in zip(
                plain.example(2, position), cached.example(2, position), strict=True
            ):
                np.testing.assert_allclose(one, other, atol=0.01)


def test_what_is_in_the_cache_is_not_composed_again(packs, tmp_path):
    before = seen_again(packs, tmp_path / "cache").batch(2, range(12))
    again = seen_again(packs, tmp_path / "cache")
    again.composer.compose = None  # would fail
    for one, other in zip(before, again.batch(2, range(12)), strict=True):
        np.testing.assert_allclose(one.features, other.features, atol=0.01)


def test_what_is_seen_no_more_leaves_the_cache(packs, tmp_path):
    examples = seen_again(packs, tmp_path / "cache")
    for epoch in range(6):
        examples.batch(epoch, range(12))
    assert len(list((tmp_path / "cache").iterdir())) <= 5


def test_every_epoch_masks_an_example_anew(packs):
    masked, plain = seen_again(packs, freq_mask=60), seen_again(packs)
    masks = defaultdict(set)
    for epoch in (4, 5):
        for n in range(12):
            whole = plain.example(epoch, n).features
            hidden = masked.example(epoch, n).features != whole
            masks[whole.tobytes()].add(hidden.any(axis=0).tobytes())
    assert Counter(map(len, masks.values()))[2] >= 7  # of 8; two may fall together
