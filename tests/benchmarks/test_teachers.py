import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
from teachers import Listener, Once

from ast_training.teacher.heard import without_features

SOUND = np.zeros((1, 32_000), np.float32)


class Teacher:
    """Knows two sounds, and counts how often it listens."""

    labels = ("Hum", "Whistle")
    asked = 0

    def hear(self, samples):
        self.asked += 1
        steps = np.arange(8, dtype=np.float32).reshape(1, 4, 2) / 10
        return without_features(np.float32([[0.2, 0.7]]), steps)


def test_scores_are_those_of_the_names_and_0_where_a_name_is_not_known():
    clip, steps = Listener(Teacher(), ["Whistle", "Hiss", "Hum"]).hear(SOUND)
    np.testing.assert_allclose(clip, [0.7, 0.0, 0.2])
    np.testing.assert_allclose(steps[:, 0], [0.1, 0.3, 0.5, 0.7])
    assert not steps[:, 1].any()


def test_a_teacher_listens_once_to_a_sound_and_anew_to_another():
    teacher = Teacher()
    once = Once(teacher)
    assert once.hear(SOUND) is once.hear(SOUND)
    once.hear(SOUND.copy())
    assert teacher.asked == 2
