import numpy as np

from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.spec import ModelSpec
from ast_training.soundscapes.composer import PlacedEvent
from ast_training.soundscapes.placed import clip_targets, frame_targets

SPEC = FbankSpec()
MODEL = ModelSpec(
    labels=2, frames=100, width=12, heads=3, patch=(128, 4), stride=(128, 4), frame_head=True
)


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
