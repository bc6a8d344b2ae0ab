import numpy as np
import pytest
from rigs.soundscapes import make_composer, whistle_and_hum

from ast_edge.fbank import FbankSpec
from ast_edge.spec import ModelSpec
from ast_training.soundscapes.composer import PlacedEvent
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
