import json

import numpy as np
import pytest
import yaml
from rigs.training.clips import clip_recipe, tones
from rigs.training.packs import backgrounds, make_recipe, two_sounds, write_recipe

from ast_edge.base.errors import ConfigError
from ast_training.data.recordings import read_recordings
from ast_training.recipe.recipe import load_recipe
from ast_training.run.training_data import (
    example_statistics,
    open_composer,
    open_data,
    open_evaluation,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Nine clips to train on and five to validate, in folds 1 to 3."""
    return tones(tmp_path_factory.mktemp("data"))


def held_out(folder, **data):
    return open_data(clip_recipe(folder, data=data))[1].indices.tolist()


def test_trains_on_one_split_and_evaluates_on_another(folder):
    examples, evaluation = open_data(clip_recipe(folder))
    assert examples.indices.tolist() == list(range(9))
    assert evaluation.indices.tolist() == list(range(9, 14))


def test_splits_may_be_put_together(folder):
    examples, _ = open_data(clip_recipe(folder, data={"train": ["train", "validation"]}))
    assert examples.indices.tolist() == list(range(14))


def test_a_fold_is_held_out_and_all_others_train_whatever_the_splits(folder):
    examples, evaluation = open_data(clip_recipe(folder, data={"fold": 2}))
    assert evaluation.indices.tolist() == list(range(1, 14, 3))
    assert sorted({*examples.indices, *evaluation.indices}) == list(range(14))
    assert not {*examples.indices} & {*evaluation.indices}


def test_what_is_evaluated_during_training_is_evaluated_after_it(folder):
    for data in ({}, {"fold": 2}):
        recipe = clip_recipe(folder, data=data)
        assert open_evaluation(recipe).indices.tolist() == held_out(folder, **data)


def test_other_splits_may_be_evaluated_after_training(folder):
    assert len(open_evaluation(clip_recipe(folder), ["train"])) == 9


@pytest.mark.parametrize("data", [{"evaluate": ["test"]}, {"train": ["test"]}, {"fold": 4}])
def test_without_clips_to_train_or_evaluate_on_nothing_begins(folder, data):
    with pytest.raises(ConfigError, match="to train on and to evaluate on, got"):
        open_data(clip_recipe(folder, data=data))


def test_a_split_without_clips_cannot_be_evaluated(folder):
    with pytest.raises(ConfigError, match="no clips to evaluate on: see splits test"):
        open_evaluation(clip_recipe(folder), ["test"])


def test_a_folder_that_was_not_prepared_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="run ast-train prepare"):
        open_data(clip_recipe(tmp_path))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"Hum": "", "Whistle": ""}, "got 'Whistle' where that has 'Hum'"),
        ({"Whistle": "", "Hum": "", "Hiss": ""}, "expected the 3 labels .* got 2 labels"),
    ],
)
def test_labels_of_another_set_are_refused(folder, labels, words):
    with pytest.raises(ConfigError, match=words):
        open_data(clip_recipe(folder, labels=labels))


# Packs


def test_packs_hold_out_what_they_say(tmp_path):
    examples, evaluation = open_data(make_recipe(two_sounds(tmp_path / "sounds")))
    trained = {recording.path.name for recording in examples.composer.events.recordings}
    held_out = {name.split("/")[1] for name in evaluation.names}
    assert len(trained) + len(held_out) == 20
    assert held_out
    assert not trained & held_out


def test_packs_may_stand_in_a_file_of_their_own(tmp_path):
    packs = two_sounds(tmp_path / "lists" / "sounds")
    packs["sounds"] |= {"table": "sounds/table.csv", "audio": "sounds/audio"}
    (tmp_path / "lists" / "all.yaml").write_text(yaml.safe_dump({"packs": packs}))
    recipe = load_recipe(write_recipe(tmp_path / "recipe.yaml", "lists/all.yaml"))
    assert len(read_recordings(recipe.pack_set)) == 20


def test_recordings_are_decoded_once_for_training_and_validation(tmp_path):
    packs = two_sounds(tmp_path / "sounds")
    open_data(make_recipe(packs, loop={"decoded": str(tmp_path / "decoded")}))
    kept = [json.loads(path.read_bytes()) for path in (tmp_path / "decoded").glob("*.json")]
    assert sum(len(tree["recordings"]) for tree in kept) == 20


def test_a_recipe_names_the_folder_of_decoded_recordings_from_where_it_lies(tmp_path):
    path = write_recipe(tmp_path / "a.yaml", two_sounds(tmp_path / "sounds"), loop={"decoded": "d"})
    assert load_recipe(path).loop.decoded == tmp_path / "d"


def test_a_recipe_may_have_nothing_written(tmp_path):
    packs = two_sounds(tmp_path / "sounds")
    path = write_recipe(tmp_path / "recipe.yaml", packs, loop={"decoded": "memory"})
    open_data(load_recipe(path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["recipe.yaml", "sounds"]


def test_packs_have_no_splits(tmp_path):
    with pytest.raises(ConfigError, match="packs have no splits"):
        open_evaluation(make_recipe(two_sounds(tmp_path / "sounds")), ["test"])


def test_statistics_are_those_of_the_training_examples_as_they_are_trained_on(folder):
    recipe = clip_recipe(folder, model={"frames": 64}, augment={"freq_mask": 32})
    examples, _ = open_data(recipe)
    seen = np.stack([examples.example(0, position)[0] for position in range(len(examples))])
    assert (seen[:, -1] == 0).all()  # padding counts
    assert example_statistics(recipe) == pytest.approx((seen.mean(), seen.std()), rel=1e-5)


def test_clips_are_read_from_where_the_recipe_keeps_them_decoded(tmp_path):
    store = tmp_path / "store"
    examples, _ = open_data(clip_recipe(tones(tmp_path / "clips"), loop={"decoded": str(store)}))
    assert len(examples.clips.decoded) == 14
    assert list(store.glob("*.pcm"))


@pytest.mark.parametrize(("split", "rooms"), [("train", 3), ("test", 0)])
def test_noise_in_which_a_label_may_be_heard_teaches_but_measures_nothing(tmp_path, split, rooms):
    share = {"test_share": 1.0, "validation_share": 0.0} if split == "test" else {}
    packs = two_sounds(tmp_path / "sounds", **share)
    packs |= backgrounds(tmp_path / "noise", 3, may=["Hum"], **share)
    assert len(open_composer(make_recipe(packs), split).backgrounds) == rooms


def test_it_measures_where_that_label_is_not_wanted(tmp_path):
    packs = two_sounds(tmp_path / "sounds", test_share=1.0, validation_share=0.0)
    packs |= backgrounds(tmp_path / "noise", 3, may=["Hum"], test_share=1.0)
    recipe = make_recipe(packs, wanted=["Whistle"])
    assert len(open_composer(recipe, "test").backgrounds) == 3
