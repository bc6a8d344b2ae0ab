import io

import pytest
from rich.console import Console
from rigs.training.clips import clip_recipe, tones

from ast_training.run.label_weights import label_weights
from ast_training.run.training_data import open_data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four whistles and three hums to train on."""
    return tones(tmp_path_factory.mktemp("clips"), train=7)


def weights(folder, **settings):
    recipe = clip_recipe(folder, **settings)
    return label_weights(recipe, open_data(recipe)[0], Console(file=io.StringIO()))


def test_all_labels_count_alike_unless_something_is_said(folder):
    assert weights(folder) is None


def test_a_label_that_is_not_wanted_counts_less(folder):
    assert weights(folder, wanted=["Hum"], auxiliary=0.25) == [0.25, 1.0]


def test_rare_labels_count_more_by_the_clips_that_train(folder):
    whistle, hum = weights(folder, class_weights=0.9)
    assert (whistle + hum) / 2 == pytest.approx(1)
    assert hum / whistle == pytest.approx((1 - 0.9**4) / (1 - 0.9**3))


def test_what_is_rare_and_what_is_wanted_multiply(folder):
    rare = weights(folder, class_weights=0.9)
    both = weights(folder, class_weights=0.9, wanted=["Hum"], auxiliary=0.25)
    assert both == pytest.approx([0.25 * rare[0], rare[1]])
