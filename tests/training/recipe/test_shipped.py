"""The recipes that come with ast-train, outside of a checkout."""

from ast_edge.base.yaml_file import load_yaml, read_tree
from ast_training.recipe.recipe import load_recipe
from ast_training.recipe.shipped import copy_recipes, shipped_recipes, shipped_studies
from ast_training.study.study import StudyConfig


def test_every_study_finds_its_recipe_where_they_were_copied(tmp_path):
    folder = tmp_path / "configs/train"
    copy_recipes(folder)
    for path in shipped_studies().values():
        study = load_yaml(folder / "studies" / path.name, StudyConfig)
        assert read_tree(study.recipe)["name"]  # what it lists of packs and teachers is not here


def test_data_of_copied_recipes_is_looked_for_in_the_working_folder(tmp_path):
    copy_recipes(tmp_path / "configs/train")
    recipe = load_recipe(tmp_path / "configs/train/esc10.yaml")
    assert recipe.data.folder.resolve() == tmp_path / "data/esc10"


def test_what_is_there_is_not_written_over(tmp_path):
    (tmp_path / "esc10.yaml").write_text("mine")
    written = copy_recipes(tmp_path)
    assert (tmp_path / "esc10.yaml").read_text() == "mine"
    assert tmp_path / "esc10.yaml" not in written
    assert copy_recipes(tmp_path) == []


def test_weights_are_not_copied(tmp_path):
    copy_recipes(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".yaml", ".csv"}
    assert shipped_recipes().is_dir()
