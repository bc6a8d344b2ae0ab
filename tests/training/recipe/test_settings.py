from copy import deepcopy
from pathlib import Path

import pytest
from rigs.training.clips import clip_recipe
from rigs.training.packs import make_recipe, two_sounds

from ast_edge.base.errors import ConfigError
from ast_training.recipe.settings import check_settings, without_places


def recipe_of(**sections):
    return clip_recipe(Path("nowhere"), **sections)


MADE_BY = recipe_of().model_dump(mode="json")


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"optimizer": {"lr": 0.1}}, "optimizer.lr"),
        ({"augment": {"mixup": 0.5}}, "augment.mixup"),
        ({"seed": 2}, "seed"),
        ({"init": {"source": "other.safetensors"}}, "init"),
    ],
)
def test_other_settings_are_named(sections, words):
    with pytest.raises(ConfigError, match=f": {words} was .*, is .*: train into another folder"):
        check_settings(recipe_of(**sections), MADE_BY, Path("last"))


def test_all_that_differ_are_named():
    sections = {"seed": 2, "optimizer": {"lr": 0.1}, "loss": "ce"}
    words = r"loss was 'bce', is 'ce'; optimizer\.lr was .*, is 0\.1; seed was 1, is 2: train"
    with pytest.raises(ConfigError, match=words):
        check_settings(recipe_of(**sections), MADE_BY, Path("last"))


def test_of_many_that_differ_the_first_are_named():
    labels = {name: name for name in "abcdefg"}
    with pytest.raises(ConfigError, match=r"and [0-9] more: train"):
        check_settings(recipe_of(labels=labels), MADE_BY, Path("last"))


@pytest.mark.parametrize(
    "sections",
    [{"optimizer": {"epochs": 9}}, {"loop": {"workers": 2}}, {"data": {"folder": "elsewhere"}}],
)
def test_a_longer_training_or_one_elsewhere_is_the_same(sections):
    check_settings(recipe_of(**sections), MADE_BY, Path("last"))


# Packs and teachers, and what did not exist then


@pytest.fixture
def taught(tmp_path):
    """The packs of a recipe with a teacher, and that teacher."""
    (tmp_path / "mn04.pt").touch()
    teacher = {"kind": "mobilenet", "weights": str(tmp_path / "mn04.pt")}
    return two_sounds(tmp_path / "sounds"), teacher


@pytest.mark.parametrize(
    "keys", [("teachers",), ("loop",), ("soundscapes", "repeats"), ("packs", "sounds", "may")]
)
def test_a_setting_that_did_not_exist_then_counts_as_its_default(taught, keys):
    recipe = make_recipe(taught[0], loop={"workers": 2})
    made_by = recipe.model_dump(mode="json")
    inner = made_by
    for key in keys[:-1]:
        inner = inner[key]
    del inner[keys[-1]]
    check_settings(recipe, made_by, Path("last"))


def test_a_setting_that_did_not_exist_then_and_is_given_now_is_named(taught):
    packs, teacher = taught
    made_by = make_recipe(packs).model_dump(mode="json")
    del made_by["teachers"]
    with pytest.raises(ConfigError, match="teachers was not given, is "):
        check_settings(make_recipe(packs, teachers=[teacher]), made_by, Path("last"))


def test_a_setting_of_a_teacher_that_did_not_exist_then_counts_as_its_default(taught):
    packs, teacher = taught
    recipe = make_recipe(packs, teachers=[teacher])
    made_by = recipe.model_dump(mode="json")
    del made_by["teachers"][0]["rate"]
    check_settings(recipe, made_by, Path("last"))


def test_a_pack_that_is_new_is_named(taught, tmp_path):
    made_by = make_recipe(taught[0]).model_dump(mode="json")
    more = taught[0] | {"more": two_sounds(tmp_path / "more")["sounds"]}
    with pytest.raises(ConfigError, match=r"packs\.more was not given"):
        check_settings(make_recipe(more), made_by, Path("last"))


def test_a_pack_for_testing_alone_may_come_later(taught, tmp_path):
    made_by = make_recipe(taught[0]).model_dump(mode="json")
    more = taught[0] | {"more": two_sounds(tmp_path / "more", test_share=1.0)["sounds"]}
    check_settings(make_recipe(more), made_by, Path("last"))


def test_files_may_lie_elsewhere_but_not_have_another_name(taught):
    packs, teacher = taught
    recipe = make_recipe(packs, teachers=[teacher])
    made_by = recipe.model_dump(mode="json")
    moved = deepcopy(made_by)
    moved["teachers"][0]["weights"] = "/elsewhere/mn04.pt"
    moved["packs"]["sounds"] |= {"table": "/elsewhere/table.csv", "audio": "/elsewhere/sounds"}
    check_settings(recipe, moved, Path("last"))
    moved["teachers"][0]["weights"] = "/elsewhere/mn10.pt"
    with pytest.raises(ConfigError, match=r"teachers\.0\.weights was '/elsewhere/mn10\.pt'"):
        check_settings(recipe, moved, Path("last"))


def test_places_of_files_can_be_left_out_of_a_recipe():
    recipe = {
        "name": "a/b",
        "labels": {"source": "/m/01", "Dog": "/m/02"},
        "data": {"folder": "/home/anna/set"},
        "init": {"source": "/home/anna/tiny.safetensors"},
        "packs": {"my.pack": {"table": "/home/anna/t.csv", "audio": "/home/anna/audio"}},
        "teachers": [{"weights": "/home/anna/mn04.pt", "kind": "mobilenet"}],
        "loop": {"decoded": "/home/anna/cache", "workers": 2},
    }
    assert without_places(recipe) == {
        "name": "a/b",
        "labels": {"source": "/m/01", "Dog": "/m/02"},
        "data": {"folder": "set"},
        "init": {"source": "tiny.safetensors"},
        "packs": {"my.pack": {"table": "t.csv", "audio": "audio"}},
        "teachers": [{"weights": "mn04.pt", "kind": "mobilenet"}],
        "loop": {"decoded": "cache", "workers": 2},
    }
