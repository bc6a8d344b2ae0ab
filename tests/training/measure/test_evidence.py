import pytest
from rigs.training.packs import backgrounds, make_recipe, two_sounds

from ast_edge.base.errors import ConfigError
from ast_training.data.recordings import read_recordings
from ast_training.measure.evidence import Evidence, check_test_split, evidence_of, say_few


def recipe_with(tmp_path, count):
    packs = two_sounds(tmp_path / "sounds", test_share=0.25)
    return make_recipe(packs | backgrounds(tmp_path / "noise", count, test_share=1.0))


def test_sources_of_background_noise_and_of_labels_are_counted(tmp_path):
    recipe = recipe_with(tmp_path, 3)
    recordings = read_recordings(recipe.pack_set)
    labels = {
        name: len({r.group for r in recordings if r.split == "test" and column in r.targets})
        for column, name in enumerate(recipe.labels)
    }
    assert sum(labels.values()) > 0
    assert evidence_of(recipe, recordings, "test") == Evidence(3, labels)


def test_only_labels_that_are_wanted_are_counted(tmp_path):
    recipe = make_recipe(two_sounds(tmp_path / "sounds", test_share=0.25), wanted=["Hum"])
    assert list(evidence_of(recipe, read_recordings(recipe.pack_set), "test").labels) == ["Hum"]


def test_too_little_background_noise_to_test_on_is_refused(tmp_path):
    recipe = recipe_with(tmp_path, 14)
    with pytest.raises(ConfigError, match="14 sources of background noise for test, expected 15"):
        check_test_split(recipe, read_recordings(recipe.pack_set))


def test_takes_of_one_source_of_background_noise_count_as_one(tmp_path):
    packs = two_sounds(tmp_path / "sounds") | backgrounds(tmp_path / "noise", 15, test_share=1.0)
    packs["noise"]["group"] = "label"
    recipe = make_recipe(packs)
    with pytest.raises(ConfigError, match="holds out 1 sources"):
        check_test_split(recipe, read_recordings(recipe.pack_set))


def test_enough_background_noise_is_taken(tmp_path):
    recipe = recipe_with(tmp_path, 15)
    assert check_test_split(recipe, read_recordings(recipe.pack_set)).backgrounds == 15


def test_labels_with_few_sources_are_named():
    assert say_few({"Hum": 4, "Whistle": 5}) == "rough figures, of fewer than 5 sources: Hum (4)"
    assert say_few({"Whistle": 5}) == ""


def test_of_very_many_labels_the_first_are_named():
    said = say_few({f"label {number}": 0 for number in range(527)})
    assert said.endswith("label 19 (0) and 507 more")
