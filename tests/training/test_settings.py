from pathlib import Path

import pytest
from rigs.clips import clip_recipe

from ast_edge.errors import ConfigError
from ast_training.settings import check_settings


def recipe_of(**sections):
    return clip_recipe(Path("nowhere"), **sections)


MADE_BY = recipe_of().model_dump(mode="json")


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"optimizer": {"lr": 0.1}}, "optimizer.lr"),
        ({"augment": {"mixup": 0.5}}, "augment.mixup"),
        ({"seed": 2}, "seed"),
    ],
)
def test_other_settings_are_named(sections, words):
    with pytest.raises(ConfigError, match=f"was made with {words} .* train into another folder"):
        check_settings(recipe_of(**sections), MADE_BY, Path("last"))


@pytest.mark.parametrize(
    "sections",
    [{"optimizer": {"epochs": 9}}, {"loop": {"workers": 2}}, {"data": {"folder": "elsewhere"}}],
)
def test_a_longer_training_or_one_elsewhere_is_the_same(sections):
    check_settings(recipe_of(**sections), MADE_BY, Path("last"))
