from collections import Counter, defaultdict

import numpy as np
import pytest
from rigs.training.soundscapes import make_composer, whistle_and_hum

from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.spec import ModelSpec
from ast_training.soundscapes.example_cache import ExampleCache
from ast_training.soundscapes.examples import SoundscapeExamples
from ast_training.soundscapes.teaching import Teaching
from ast_training.teacher.grid import step_count
from ast_training.teacher.heard import Heard

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
    features, clip, frame, _ = examples.example(1, 4)
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


@pytest.mark.parametrize(("share", "most"), [(0.0, 2), (1.0, 1)])
def test_clear_examples_hold_one_recording(tmp_path, share, most):
    settings = {"clear": share, "events": 4.0, "negatives": 0, "distractors": 0}
    composer = make_composer(whistle_and_hum(tmp_path), **settings)
    examples = SoundscapeExamples(composer, MODEL, SPEC, seed=3)
    assert max(examples.example(0, number).clip.sum() for number in range(20)) == most


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


# Examples that are taught


class Monotone:
    """A teacher that says the same of every sound: 0.4 whistle and 0.2 hum."""

    labels = ("Whistle", "Hum")

    def hear(self, samples):
        clip = np.tile(np.array([0.4, 0.2], np.float32), (len(samples), 1))
        steps = np.repeat(clip[:, None], step_count(samples.shape[1]), axis=1)
        level = np.abs(samples).mean(axis=1, keepdims=True)
        features = np.broadcast_to(level[:, None, None], (*steps.shape[:2], 2, 1))
        return Heard(clip, steps, level, features)


def taught(packs, doubt, folder=None, hints=False, **changes):
    composer = make_composer(packs, **({"negatives": 0, "distractors": 0, "repeats": 2} | changes))
    teaching = Teaching(Monotone, ["Whistle", "Hum"], doubt, hints=hints)
    cache = ExampleCache(folder) if folder else None
    return SoundscapeExamples(composer, MODEL, SPEC, 3, teaching, cache)


def test_what_the_teacher_says_is_to_be_learnt(packs):
    _, clip, frame, _ = taught(packs, None).example(0, 0)
    np.testing.assert_allclose(clip, [0.4, 0.2])
    np.testing.assert_allclose(frame, [[0.4, 0.2]] * 25, atol=1e-6)


def test_what_was_placed_is_certain_when_and_where_it_was(packs, tmp_path):
    for folder in (None, tmp_path / "cache"):
        examples = taught(packs, 0.5, folder)
        plain = SoundscapeExamples(examples.composer, MODEL, SPEC, 3)
        for _ in range(2):  # the second time from the cache
            for n in range(10):
                _, clip, frame, _ = examples.example(0, n)
                _, placed, where, _ = plain.example(0, n)
                np.testing.assert_allclose(clip[placed > 0], 1)
                np.testing.assert_allclose(frame[:, placed > 0], where[:, placed > 0])
                rest = np.array([0.2, 0.1])[placed == 0]  # half of what the teacher says
                np.testing.assert_allclose(clip[placed == 0], rest, atol=1e-3)


def test_hints_are_kept_in_the_cache(packs, tmp_path):
    heard = taught(packs, None, hints=True).example(0, 0).hint
    examples = taught(packs, None, tmp_path / "cache", hints=True)
    for _ in range(2):
        np.testing.assert_allclose(examples.example(0, 0).hint, heard, rtol=1e-3)
    assert heard.shape == (1 + step_count(SPEC.samples_in(MODEL.frames)), 1)


def test_what_may_sound_unannounced_is_believed(tmp_path):
    sounds = whistle_and_hum(tmp_path)
    sounds["sounds"]["may"] = ["Hum"]
    composer = make_composer(sounds, negatives=0, distractors=0)
    composer._labelled[:] = [1, 0, 0]  # the whistle
    teaching = Teaching(Monotone, ["Whistle", "Hum"], 0.5)
    clip = SoundscapeExamples(composer, MODEL, SPEC, 3, teaching).example(0, 0).clip
    assert clip[1] == pytest.approx(0.2)


def test_without_a_teacher_what_may_sound_unannounced_is_not_known(tmp_path):
    sounds = whistle_and_hum(tmp_path)
    sounds["sounds"]["may"] = ["Hum"]
    composer = make_composer(sounds, negatives=0, distractors=0)
    composer._labelled[:] = [1, 0, 0]
    _, clip, frame, _ = SoundscapeExamples(composer, MODEL, SPEC, 3).example(0, 0)
    assert np.isfinite(clip).tolist() == [True, False]
    assert np.isfinite(frame).all(axis=0).tolist() == [True, False]
