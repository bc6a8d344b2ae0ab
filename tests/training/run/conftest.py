"""A small training that ran without a break, for what is compared with it."""

import pytest
from rigs.training.clips import clip_recipe, tones
from rigs.training.training_runs import AUGMENT, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Nine clips to train on: with a batch of 4, the last of an epoch's 3 steps has one."""
    return tones(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def recipe(folder):
    """Two epochs of three steps."""
    return clip_recipe(folder, augment=AUGMENT, optimizer={"lr": 1e-3, "clip_norm": 1.0})


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    """Two epochs without a break; not to be written to."""
    return train(recipe, tmp_path_factory.mktemp("whole"))
