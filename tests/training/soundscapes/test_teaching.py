import numpy as np
import pytest

from ast_edge.base.errors import ConfigError
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.spec import ModelSpec
from ast_training.soundscapes.composer import PlacedEvent, Soundscape
from ast_training.soundscapes.teaching import Teaching
from ast_training.teacher.grid import RATE, step_count, step_middles
from ast_training.teacher.heard import Heard

SPEC = FbankSpec()
MODEL = ModelSpec(
    labels=2, frames=400, width=12, heads=3, patch=(128, 4), stride=(128, 4), frame_head=True
)


class LoudnessTeacher:
    """Says of every label how loud the sound is, times the label's number."""

    labels = ("Hum", "Hiss", "Whistle")

    def hear(self, samples):
        clip = np.abs(samples).mean(axis=1)[:, None] * [0.1, 0.2, 0.3]
        steps = np.repeat(clip[:, None], step_count(samples.shape[1]), axis=1)
        # Its features are the loudness, and of windows of 1 and 2 s the length beside it.
        windows = np.array([[0.0, 1.0], [0.0, 2.0]]) + np.array([1, 0]) * clip[:, None, None, :1]
        around = np.repeat(windows, steps.shape[1], axis=1)
        features = np.concatenate([clip[:, :1], 0 * clip[:, :1]], axis=1)
        return Heard(*(np.float32(part) for part in (clip, steps, features, around)))


def scape(level, events=(), may=()):
    """A second and a bit of one loudness."""
    samples = np.full(RATE + 100, level, np.float32)
    return Soundscape(samples, events, frozenset(may))


def test_targets_are_what_is_heard_in_the_order_of_the_students_labels():
    teaching = Teaching(LoudnessTeacher, ["Whistle", "Hum"])
    (clip, steps, _), (quiet, *_) = teaching.targets([scape(1.0), scape(0.5)], RATE)
    np.testing.assert_allclose(clip, [0.3, 0.1], atol=1e-6)
    np.testing.assert_allclose(quiet, [0.15, 0.05], atol=1e-6)
    np.testing.assert_allclose(steps, [[0.3, 0.1]] * 2, atol=1e-6)


def test_a_label_that_no_teacher_knows_is_refused():
    with pytest.raises(ConfigError, match="do not know the label 'Purr'"):
        Teaching(LoudnessTeacher, ["Hum", "Purr"]).targets([scape(0)], RATE)


def test_what_was_placed_is_certain_and_the_rest_is_doubted():
    teaching = Teaching(LoudnessTeacher, ["Hum", "Hiss", "Whistle"], doubt=0.5)
    sound = scape(1.0, (PlacedEvent(0, 0.2, 0.6),), may={2})
    ((clip, steps, _),) = teaching.targets([sound], RATE)
    np.testing.assert_allclose(clip, [1, 0.1, 0.3], atol=1e-6)
    np.testing.assert_allclose(steps, [[0.05, 0.1, 0.3]] * 2, atol=1e-6)


def test_without_moments_steps_are_absent_and_open_where_a_label_may_sound():
    teaching = Teaching(LoudnessTeacher, ["Hum", "Hiss", "Whistle"], doubt=0.5, moments=False)
    sound = scape(1.0, (PlacedEvent(0, 0.2, 0.6),), may={2})
    ((clip, steps, _),) = teaching.targets([sound], RATE)
    np.testing.assert_allclose(clip, [1, 0.1, 0.3], atol=1e-6)
    np.testing.assert_array_equal(steps, [[0, 0, np.nan]] * 2)


def test_hints_are_the_teachers_features_of_all_and_of_a_second_around_each_moment():
    teaching = Teaching(LoudnessTeacher, ["Hum"], hints=True)
    ((*_, hint),) = teaching.targets([scape(1.0)], RATE)
    np.testing.assert_allclose(hint, [[0.1, 0], [0.1, 1], [0.1, 1]], atol=1e-6)


def test_without_hints_no_features_are_kept():
    ((*_, hint),) = Teaching(LoudnessTeacher, ["Hum"]).targets([scape(1.0)], RATE)
    assert hint.shape == (3, 0)


def test_the_teacher_is_opened_when_it_is_asked():
    opened = []
    teaching = Teaching(lambda: opened.append(1) or LoudnessTeacher(), ["Hum"])
    assert not opened
    for _ in range(2):
        teaching.targets([scape(0)], RATE)
    assert opened == [1]


def test_between_two_moments_a_line_is_drawn():
    given = step_middles(SPEC.samples_in(MODEL.frames))
    line = np.stack([given, 1 - given], axis=1).astype(np.float32)
    spread = Teaching.spread(line, MODEL, SPEC)
    middles = np.arange(100) * 0.04 + 0.02
    np.testing.assert_allclose(spread[:, 0], middles.clip(given[0], given[-1]), atol=1e-5)
    np.testing.assert_allclose(spread.sum(axis=1), 1, atol=1e-5)


def test_a_single_moment_speaks_for_all_steps():
    short = ModelSpec(
        labels=1, frames=40, width=12, heads=3, patch=(128, 4), stride=(128, 4), frame_head=True
    )
    spread = Teaching.spread(np.full((1, 1), 0.7, np.float32), short, SPEC)
    np.testing.assert_allclose(spread, np.full((10, 1), 0.7))
