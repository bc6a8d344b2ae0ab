"""A training that learns a part of a model, and one that favours rare labels."""

import io

import pytest
import torch
from rich.console import Console
from rigs.training.clips import clip_recipe, tones
from rigs.training.training_runs import assert_same_run, changed, train

from ast_training.model.checkpoint import load_checkpoint
from ast_training.run.fit import fit
from ast_training.run.folder import RunFolder


@pytest.fixture(scope="module")
def adapting(whole, recipe):
    """Starts from a model that was trained for two epochs."""
    return changed(recipe, init={"source": str(whole.best)})


def moved(run, whole):
    """The parts of the model whose weights have changed."""
    before, after = load_checkpoint(whole.best).weights, load_checkpoint(run.best).weights
    assert before.keys() == after.keys()
    return {name for name, value in after.items() if not torch.equal(value, before[name])}


def test_heads_are_learnt_on_a_backbone_that_stays_as_it_was(adapting, whole, tmp_path):
    run = train(changed(adapting, adapt={"learn": "heads"}), tmp_path)
    assert {name.split(".")[0] for name in moved(run, whole)} == {"mlp_head"}


def test_low_rank_changes_are_in_the_weights_that_are_kept(adapting, whole, tmp_path):
    run = train(changed(adapting, adapt={"learn": "lora", "layers": ["qkv"]}), tmp_path)
    found = {name for name in moved(run, whole) if name.startswith("v.")}
    assert found == {f"v.blocks.{block}.attn.qkv.weight" for block in range(2)}


def test_a_stopped_training_of_changes_goes_on_as_if_it_had_not_been(adapting, tmp_path):
    constant = {"kind": "step", "first": 9, "factor": 1.0}
    lora = changed(adapting, adapt={"learn": "lora"}, optimizer={"schedule": constant})
    golden = train(lora, tmp_path / "golden")
    run = train(changed(lora, optimizer={"epochs": 1}), tmp_path / "run")
    assert_same_run(train(lora, run.path), golden)


def test_a_rare_label_counts_more_and_that_is_said(tmp_path):
    folder = tones(tmp_path / "clips", train=7)  # four whistles, three hums
    text = io.StringIO()
    recipe = clip_recipe(folder, class_weights=0.9, optimizer={"epochs": 1})
    fit(recipe, RunFolder(tmp_path / "run"), Console(file=text, width=200))
    assert "labels count from 0.88 (Whistle, 4 clips) to 1.12 (Hum, 3 clips)" in text.getvalue()
