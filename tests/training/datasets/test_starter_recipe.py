import numpy as np
import pytest
from rigs.training.clips import tones

from ast_training.data.clips import ClipSet
from ast_training.datasets.starter_recipe import write_starter_recipe
from ast_training.recipe.recipe import load_recipe
from ast_training.run.training_data import open_data


@pytest.fixture
def clips(tmp_path):
    return ClipSet.open(tones(tmp_path / "tones"))


def test_trains_on_the_clips_it_is_written_for(clips):
    recipe = load_recipe(write_starter_recipe(clips))
    examples, held_out = open_data(recipe)
    assert examples.example(0, 0)[0].shape == (recipe.model.frames, 128)
    assert (len(examples), len(held_out)) == (9, 5)  # fold 1 is held out


def test_has_labels_and_statistics_of_the_clips(clips):
    recipe = load_recipe(write_starter_recipe(clips))
    assert [label.name for label in recipe.label_set] == [label.name for label in clips.labels]
    assert recipe.model.mean == pytest.approx(clips.mean, abs=1e-4)
    assert recipe.model.std == pytest.approx(clips.std, abs=1e-4)


def test_window_holds_nine_tenths_of_the_clips(clips):
    recipe = load_recipe(write_starter_recipe(clips))
    lengths = [len(clips.fbank(i, recipe.fbank_spec)) for i in range(len(clips))]
    assert np.mean(np.array(lengths) <= recipe.model.frames) >= 0.9


def test_leaves_the_answer_that_nothing_sounds(clips):
    assert load_recipe(write_starter_recipe(clips)).model_spec.activation == "sigmoid"


def test_a_recipe_that_is_there_is_kept(clips):
    path = write_starter_recipe(clips)
    path.write_text("mine", encoding="utf-8")
    assert write_starter_recipe(clips) == path
    assert path.read_text(encoding="utf-8") == "mine"
