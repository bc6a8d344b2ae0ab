from pathlib import Path

import pytest
from rigs.training.packs import two_sounds, write_recipe

from ast_edge.base.errors import ConfigError
from ast_training.recipe.overrides import override
from ast_training.recipe.recipe import load_recipe

FILE = Path("recipe.yaml")


@pytest.fixture
def file(tmp_path):
    return write_recipe(tmp_path / "small.yaml", two_sounds(tmp_path / "sounds"))


def test_values_have_the_types_that_they_have_in_a_file(file):
    recipe = load_recipe(
        file,
        [
            *("optimizer.lr=1e-4", "optimizer.betas=[0.9, 0.95]", "optimizer.batch=8"),
            *("model.prior=0.01", "select=accuracy", "optimizer.ema=0.99"),
        ],
    )
    assert (recipe.optimizer.lr, recipe.optimizer.betas) == (1e-4, (0.9, 0.95))
    assert (recipe.optimizer.batch, recipe.optimizer.ema) == (8, 0.99)
    assert (recipe.model.prior, recipe.select) == (0.01, "accuracy")


def test_all_else_is_that_of_the_file(file):
    changed = load_recipe(file, ["optimizer.lr=1e-4"]).model_dump()
    changed["optimizer"]["lr"] = load_recipe(file).optimizer.lr
    assert changed == load_recipe(file).model_dump()


def test_the_last_of_a_key_counts():
    assert override({}, ["seed=1", "seed=2"], FILE) == {"seed": 2}


def test_sections_are_made_and_lists_are_counted():
    tree = {"teachers": [{"kind": "yamnet"}, {"kind": "onnx"}], "init": None}
    settings = ["init.source=a.pth", "teachers.1.rate=32000"]
    assert override(tree, settings, FILE) == {
        "teachers": [{"kind": "yamnet"}, {"kind": "onnx", "rate": 32000}],
        "init": {"source": "a.pth"},
    }
    assert tree["init"] is None


def test_nothing_stands_for_null():
    assert override({"average": [1, 2]}, ["average="], FILE) == {"average": None}


def test_paths_are_relative_to_the_file_of_the_recipe(file):
    recipe = load_recipe(file, ["init.source=deit.pth"])
    assert recipe.init.source == file.parent / "deit.pth"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("optimiser.lr=1", r"optimiser: unknown key, did you mean 'optimizer'\?"),
        ("optimizer.learning_rate=1", "optimizer.learning_rate: unknown key"),
        ("optimizer.lr=fast", "optimizer.lr: .*number.*'fast'"),
        ("optimizer.lr=-1", "optimizer.lr: .*greater than 0"),
        ("optimizer.batch=2.5", "optimizer.batch: .*integer"),
        ("select=best", "select: .*'map'"),
        ("name.first=x", "there is no 'first' in .*small.yaml, which has 'small' there"),
        ("optimizer.betas=[1", r"the value is not YAML: line 1"),
        ("seed=!!int x", "a value that cannot be"),
        ("optimizer.lr", "expected key=value, such as .*got 'optimizer.lr'"),
        ("=1", "expected key=value"),
        ("optimizer..lr=1", "expected key=value"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(file, setting, words):
    with pytest.raises(ConfigError, match=rf"(?s){words}") as caught:
        load_recipe(file, [setting])
    assert "--set" in str(caught.value)


def test_a_list_has_no_names_nor_more_than_it_has():
    for key in ("betas.x", "betas.2"):
        with pytest.raises(ConfigError, match="a list of 2 there"):
            override({"betas": [0.9, 0.99]}, [f"{key}=1"], FILE)
