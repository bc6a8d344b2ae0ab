"""A training that ends before its last epoch."""

import io

import pytest
from rich.console import Console
from rigs.training.training_runs import assert_same_run, changed, train

from ast_training.model.checkpoint import load_checkpoint
from ast_training.run.fit import fit
from ast_training.run.folder import RunFolder


@pytest.fixture(scope="module")
def idle(recipe):
    """Learns nothing, so that no epoch is better than the first."""
    return changed(recipe, optimizer={"epochs": 6, "lr": 1e-12})


def said_by(recipe, path):
    text = io.StringIO()
    fit(recipe, RunFolder(path), Console(file=text, width=200))
    return text.getvalue()


def epochs(path):
    return load_checkpoint(RunFolder(path).last).epoch


def test_ends_when_patience_is_over_and_says_why(idle, tmp_path):
    said = said_by(changed(idle, patience=2), tmp_path)
    assert epochs(tmp_path) == 3
    assert "ends after epoch 3 of 6: no better map than " in said
    assert "(epoch 1) in 2 epochs, see patience" in said


def test_a_training_that_has_ended_is_left_alone(idle, tmp_path):
    run = train(changed(idle, patience=1), tmp_path)
    before = run.last.stat().st_mtime_ns
    assert "ends after epoch 2 of 6" in said_by(changed(idle, patience=1), tmp_path)
    assert run.last.stat().st_mtime_ns == before


def test_patience_counts_on_across_a_stop(idle, tmp_path):
    golden = train(changed(idle, patience=2), tmp_path / "golden")
    run = train(changed(idle, optimizer={"epochs": 2}, patience=2), tmp_path / "run")
    assert_same_run(train(changed(idle, patience=2), run.path), golden)


def test_with_more_patience_it_goes_on(idle, tmp_path):
    train(changed(idle, patience=1), tmp_path)
    train(changed(idle, patience=3), tmp_path)
    assert epochs(tmp_path) == 4


def test_nothing_ends_early_while_it_becomes_better(recipe, tmp_path):
    said = said_by(changed(recipe, patience=2), tmp_path)
    assert epochs(tmp_path) == 2
    assert "ends after" not in said
