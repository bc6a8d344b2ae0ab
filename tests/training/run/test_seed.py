from pathlib import Path

import pytest
from rigs.training.checkpoints import random_checkpoint
from rigs.training.clips import clip_recipe

from ast_edge.base.errors import BundleError
from ast_training.run.seed import run_seed


def recipe_from(source=None, seed=1):
    init = {"init": {"source": str(source)}} if source else {}
    return clip_recipe(Path("nowhere"), seed=seed, **init)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "first.safetensors"
    path.write_bytes(b"weights")
    return path


def test_a_run_from_random_weights_has_the_seed_of_its_recipe():
    assert run_seed(recipe_from(seed=7), None) == 7


def test_a_run_from_other_weights_has_a_seed_of_its_own(weights, tmp_path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other weights")
    seeds = {run_seed(recipe_from(weights, seed), None) for seed in (1, 2)}
    seeds |= {run_seed(recipe_from(other), None), 1, 2}
    assert len(seeds) == 5


def test_it_depends_on_what_the_file_holds_and_not_on_where_it_lies(weights, tmp_path):
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(weights.read_bytes())
    assert run_seed(recipe_from(moved), None) == run_seed(recipe_from(weights), None)


def test_weights_may_be_a_folder(tmp_path):
    folder = tmp_path / "hf"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    first = run_seed(recipe_from(folder), None)
    (folder / "model.safetensors").write_bytes(b"others")
    assert run_seed(recipe_from(folder), None) != first


def test_weights_that_are_missing_are_one_line(tmp_path):
    with pytest.raises(BundleError, match=r"gone\.safetensors: cannot be read: No such file"):
        run_seed(recipe_from(tmp_path / "gone.safetensors"), None)


def test_a_run_that_began_before_it_was_kept_goes_on_with_the_seed_of_its_recipe(tmp_path):
    last = random_checkpoint(state={})
    assert run_seed(recipe_from(tmp_path / "gone.safetensors", seed=3), last) == 3
