import numpy as np
import pytest

from ast_training.teacher.ensemble import Ensemble
from ast_training.teacher.heard import Heard, without_features


class Says:
    """A teacher that hears the same in everything."""

    def __init__(self, features=None, **probabilities):
        self.labels, self.features = tuple(probabilities), features
        self.says = np.float32(list(probabilities.values()))

    def hear(self, samples):
        clip = np.tile(self.says, (len(samples), 1))
        heard = without_features(clip, clip[:, None].repeat(4, 1))
        if self.features is None:
            return heard
        features = np.full((len(samples), 2), self.features, np.float32)
        steps = np.full((len(samples), 4, 2, 2), self.features, np.float32)
        return Heard(heard.clip, heard.steps, features, steps)


SOUNDS = np.zeros((3, 32000), np.float32)


def test_probabilities_are_combined_by_their_geometric_mean():
    heard = Ensemble([Says(dog=0.9, cat=0.2), Says(dog=0.4, cat=0.05)]).hear(SOUNDS)
    np.testing.assert_allclose(heard.clip, np.tile([0.6, 0.1], (3, 1)), rtol=1e-5)
    np.testing.assert_allclose(heard.steps, np.tile([0.6, 0.1], (3, 4, 1)), rtol=1e-5)


def test_a_label_that_a_teacher_lacks_is_left_to_the_others():
    ensemble = Ensemble([Says(dog=0.9, cat=0.2), Says(owl=0.7, dog=0.4)])
    assert ensemble.labels == ("dog", "cat", "owl")
    np.testing.assert_allclose(ensemble.hear(SOUNDS).clip[0], [0.6, 0.2, 0.7], rtol=1e-5)


def test_a_teacher_alone_says_what_it_hears():
    np.testing.assert_allclose(Ensemble([Says(dog=1e-5)]).hear(SOUNDS).clip, 1e-5, rtol=1e-4)


def test_a_zero_of_one_teacher_leaves_the_order_that_others_give():
    heard = Ensemble([Says(dog=0.9, cat=0.2), Says(dog=0.0, cat=0.0)]).hear(SOUNDS)
    assert heard.clip[0, 0] > heard.clip[0, 1] > 0


@pytest.mark.parametrize("first", [True, False])
def test_features_are_those_of_the_teachers_that_have_them(first):
    teachers = [Says(dog=0.9, features=7), Says(dog=0.4)]
    heard = Ensemble(teachers if first else teachers[::-1]).hear(SOUNDS)
    assert heard.clip_features.tolist() == [[7, 7]] * 3
    assert heard.step_features.shape == (3, 4, 2, 2)
