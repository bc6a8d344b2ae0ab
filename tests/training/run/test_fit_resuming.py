"""A run that was stopped, and what it may not go on with."""

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from rigs.full_disk import files_end_at
from rigs.training.clips import tones
from rigs.training.training_runs import assert_same_run, changed, command, train, write

from ast_edge.base.errors import ConfigError
from ast_training.base.errors import TrainingError
from ast_training.model.checkpoint import Checkpoint, load_checkpoint
from ast_training.run.fit import seed_of
from ast_training.run.folder import RunFolder
from ast_training.run.log import read_rows
from ast_training.run.training_data import open_data

# Stopping and going on


KILLED = """
import os, signal, sys
from ast_training.run import fit
from ast_training.cli.main import main

step, train_step, doomed = 0, fit.train_step, int(sys.argv[1])

def count(*args):
    global step
    if step == doomed:
        os.kill(os.getpid(), signal.SIGKILL)
    step += 1
    return train_step(*args)

fit.train_step = count
main(sys.argv[2:])
"""


def train_until_killed(recipe, folder, steps):
    """Run in a child process that is killed, by signal 9, before it takes another step."""
    run = RunFolder(folder / "run")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(steps), *command(write(recipe, folder), run)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return run


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "saved"), [(3, (1, 3)), (4, (1, 4)), (5, (1, 4)), (2, (0, 2))])
def test_goes_on_after_being_killed_as_if_nothing_had_been(recipe, whole, tmp_path, steps, saved):
    recipe = changed(recipe, loop={"save_every": 2})
    run = train_until_killed(recipe, tmp_path, steps)
    last = load_checkpoint(run.last)
    assert (last.epoch, int(last.state["step"])) == saved
    train(recipe, run.path)
    assert_same_run(run, whole)
    assert [row["epoch"] for row in read_rows(run.metrics)] == ["1", "2"]


@pytest.mark.slow
def test_starts_again_when_killed_before_the_first_checkpoint(recipe, whole, tmp_path):
    run = train_until_killed(recipe, tmp_path, 1)
    assert not run.last.exists()
    train(recipe, run.path)
    assert_same_run(run, whole)


def train_until_file(number, recipe, path, monkeypatch):
    """Train, and stop instead of writing the checkpoint of this number."""
    save, saved = Checkpoint.save, []

    def stop(checkpoint, path):
        saved.append(path)
        if len(saved) == number:
            raise KeyboardInterrupt
        save(checkpoint, path)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, path)


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("number", range(1, 7))
def test_a_run_that_ends_at_any_of_its_files_goes_on_as_if_nothing_had_been(
    recipe, tmp_path, monkeypatch, number, ema
):
    recipe = changed(
        recipe, model={"drop_path": 0.3}, optimizer={"ema": ema}, loop={"save_every": 2}
    )
    golden = train(recipe, tmp_path / "golden")
    train_until_file(number, recipe, tmp_path / "run", monkeypatch)
    assert_same_run(train(recipe, tmp_path / "run"), golden)


def test_what_is_left_of_a_broken_write_is_in_nobodys_way(recipe, whole, tmp_path):
    (tmp_path / "last.safetensors.partial").write_bytes(b"half")
    assert_same_run(train(recipe, tmp_path), whole)
    assert not list(tmp_path.glob("*.partial"))


def test_a_run_may_be_made_longer(recipe, tmp_path):
    run = train(changed(recipe, optimizer={"epochs": 1}), tmp_path)
    train(changed(recipe, optimizer={"epochs": 3}), tmp_path)
    assert [row["epoch"] for row in read_rows(run.metrics)] == ["1", "2", "3"]


def test_a_second_stage_gets_other_examples_than_the_first(recipe, whole, tmp_path):
    stage = changed(recipe, init={"source": str(whole.best), "pos_embed": "bilinear"})
    batches = []
    for one in (recipe, stage):
        seeded = one.model_copy(update={"seed": seed_of(one, RunFolder(tmp_path))})
        batches.append(open_data(seeded)[0].batch(0, range(9)))
    assert any((a.features != b.features).any() for a, b in zip(*batches, strict=True))


def test_a_second_stage_goes_on_with_its_examples_without_the_weights_it_began_with(
    recipe, whole, tmp_path, monkeypatch
):
    first = tmp_path / "first.safetensors"
    shutil.copyfile(whole.best, first)
    stage = changed(recipe, init={"source": str(first), "pos_embed": "bilinear"})
    golden = train(stage, tmp_path / "golden")
    train_until_file(3, stage, tmp_path / "run", monkeypatch)
    first.unlink()
    assert_same_run(train(stage, tmp_path / "run"), golden)


def test_a_second_stage_that_began_before_seeds_were_kept_keeps_its_examples(
    recipe, whole, tmp_path
):
    stage = changed(recipe, init={"source": str(whole.best), "pos_embed": "bilinear"})
    run = train(changed(stage, optimizer={"epochs": 1}), tmp_path / "run")
    last = load_checkpoint(run.last)
    state = {key: value for key, value in last.state.items() if key != "seed"}
    replace(last, state=state).save(run.last)
    assert seed_of(stage, run) == recipe.seed


# What cannot be done


@pytest.fixture
def first_epoch(recipe, tmp_path):
    return train(changed(recipe, optimizer={"epochs": 1}), tmp_path)


def test_a_full_disk_is_one_line_and_leaves_the_last_checkpoint(recipe, first_epoch):
    before = first_epoch.last.read_bytes()
    # A row of metrics still fits, a checkpoint does not.
    with files_end_at(1_000_000), pytest.raises(TrainingError) as caught:
        train(recipe, first_epoch.path)
    assert re.fullmatch(r".*\.safetensors: cannot be written: .*", str(caught.value))
    assert first_epoch.last.read_bytes() == before
    assert load_checkpoint(first_epoch.last).epoch == 1


def test_a_loss_that_is_not_finite_stops_the_run_and_leaves_the_last_checkpoint(
    recipe, first_epoch
):
    recipe = changed(recipe, optimizer={"lr": 1e30})
    made_by_it = replace(load_checkpoint(first_epoch.last), recipe=recipe.model_dump(mode="json"))
    made_by_it.save(first_epoch.last)
    before = first_epoch.last.read_bytes()
    with pytest.raises(TrainingError, match=r"lower optimizer\.lr"):
        train(recipe, first_epoch.path)
    assert first_epoch.last.read_bytes() == before


def test_a_run_by_other_settings_is_not_continued_and_they_are_named(recipe, whole):
    before = whole.last.read_bytes()
    with pytest.raises(ConfigError, match=r"optimizer\.lr was 0\.001, is 0\.1: train into"):
        train(changed(recipe, optimizer={"lr": 0.1}), whole.path)
    assert whole.last.read_bytes() == before


def test_a_run_of_another_model_is_not_continued(recipe, whole):
    with pytest.raises(ConfigError, match=r"model\.frames was 32, is 48"):
        train(changed(recipe, model={"frames": 48}), whole.path)


def test_a_run_on_more_clips_is_not_continued(recipe, whole, tmp_path):
    more = tones(tmp_path, train=13)
    with pytest.raises(ConfigError, match="expected 4 steps in an epoch, got 3"):
        train(changed(recipe, data={"folder": str(more)}), whole.path)
