import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from rich.console import Console
from rigs.clips import clip_recipe, tones
from rigs.full_disk import files_end_at
from rigs.packs import Pack, hiss, make_recipe, two_sounds
from rigs.torchrun import torchrun
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ast_edge.errors import ConfigError
from ast_training.checkpoint import Checkpoint, load_checkpoint
from ast_training.data import open_data
from ast_training.errors import TrainingError
from ast_training.fit import fit
from ast_training.run_folder import RunFolder
from ast_training.run_log import read_rows

AUGMENT = {"mixup": 0.5, "freq_mask": 24, "time_mask": 8, "roll": 4, "crop": "random"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Nine clips to train on: with a batch of 4, the last of an epoch's 3 steps has one."""
    return tones(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def recipe(folder):
    return clip_recipe(folder, augment=AUGMENT, optimizer={"lr": 1e-3, "clip_norm": 1.0})


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    """Two epochs without a break; not to be written to."""
    return train(recipe, tmp_path_factory.mktemp("whole"))


def changed(recipe, **sections):
    """The recipe with some keys of some sections changed."""
    tree = recipe.model_dump(mode="json")
    for name, value in sections.items():
        tree[name] = tree[name] | value if isinstance(value, dict) else value
    return type(recipe).model_validate(tree)


def train(recipe, path):
    run = RunFolder(path)
    fit(recipe, run, Console(file=io.StringIO()))
    return run


def losses_of(run):
    return [float(row["loss"]) for row in read_rows(run.metrics)]


def assert_same_run(run, golden, tolerance=1e-6):
    assert losses_of(run) == pytest.approx(losses_of(golden), abs=tolerance)
    found, wanted = load_checkpoint(run.last), load_checkpoint(golden.last)
    assert (found.epoch, found.metrics) == (wanted.epoch, wanted.metrics)
    for key, value in (wanted.weights | wanted.state).items():
        torch.testing.assert_close((found.weights | found.state)[key], value, rtol=0, atol=1e-6)


# What a run leaves


def test_writes_a_row_of_metrics_per_epoch(whole):
    rows = read_rows(whole.metrics)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(0 < float(row["loss"]) < 2 for row in rows)
    assert all(0 <= float(row["map"]) <= 1 for row in rows)


def test_last_checkpoint_holds_what_resuming_needs_and_the_best_does_not(whole):
    assert load_checkpoint(whole.last).epoch == 2
    assert load_checkpoint(whole.last).state
    assert not load_checkpoint(whole.best).state


def test_the_best_checkpoint_is_the_best_row(whole):
    best = max(float(row["map"]) for row in read_rows(whole.metrics))
    assert load_checkpoint(whole.best).metrics["macro_ap"] == pytest.approx(best, abs=1e-5)


def test_tensorboard_can_read_the_curves(whole):
    events = EventAccumulator(str(whole.curves))
    events.Reload()
    assert {"epoch/loss", "epoch/map", "epoch/lr"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("epoch/loss")] == [3, 6]


def test_no_file_is_left_half_written(whole):
    assert not list(whole.path.glob("*.partial"))


def test_a_complete_run_is_left_alone(whole, recipe):
    before = whole.last.stat().st_mtime_ns
    train(recipe, whole.path)
    assert whole.last.stat().st_mtime_ns == before
    assert len(read_rows(whole.metrics)) == 2


def test_learns_two_sounds_that_are_easy_to_tell_apart(folder, tmp_path):
    run = train(clip_recipe(folder, optimizer={"epochs": 4, "lr": 2e-4}), tmp_path)
    assert losses_of(run)[-1] < losses_of(run)[0] / 2
    assert load_checkpoint(run.best).metrics["macro_ap"] == 1.0


def test_trains_on_packs(tmp_path):
    run = train(make_recipe(two_sounds(tmp_path / "sounds")), tmp_path / "run")
    assert len(read_rows(run.metrics)) == 2


@pytest.mark.parametrize("loss", ["bce", "ce"])
def test_the_loss_of_an_epoch_is_the_mean_over_its_steps_of_the_mean_over_their_clips(
    folder, tmp_path, loss
):
    # At a rate of almost nothing every step meets the weights of the start.
    recipe = clip_recipe(folder, loss=loss, optimizer={"lr": 1e-12, "epochs": 1})
    run = train(recipe, tmp_path)
    model, (examples, _) = load_checkpoint(run.last).build(), open_data(recipe)
    clips = [map(torch.from_numpy, examples.example(0, position)[:2]) for position in range(9)]
    golden = torch.nn.BCEWithLogitsLoss() if loss == "bce" else torch.nn.CrossEntropyLoss()
    with torch.no_grad():
        each = [golden(model(fbank[None]), target[None]).item() for fbank, target in clips]
    steps = [each[:4], each[4:8], each[8:]]
    mean = sum(sum(step) / len(step) for step in steps) / 3
    assert losses_of(run) == pytest.approx([mean], abs=2e-6)


# The same run, done otherwise


@pytest.mark.parametrize(
    "loop", [{"accumulate": 2}, {"accumulate": 9}, {"workers": 2}, {"activation_checkpointing": 1}]
)
def test_how_the_work_is_done_does_not_change_the_run(recipe, whole, tmp_path, loop):
    run = train(changed(recipe, loop=loop), tmp_path)
    assert losses_of(run) == pytest.approx(losses_of(whole), abs=1e-5)


def test_stochastic_depth_survives_activation_checkpointing(recipe, tmp_path):
    recipe = changed(recipe, model={"drop_path": 0.3})
    plain = train(recipe, tmp_path / "plain")
    again = train(changed(recipe, loop={"activation_checkpointing": True}), tmp_path / "again")
    assert losses_of(again) == pytest.approx(losses_of(plain), abs=1e-5)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_trains_nearly_alike(recipe, whole, tmp_path, precision):
    run = train(changed(recipe, loop={"precision": precision}), tmp_path)
    assert losses_of(run) != losses_of(whole)
    assert losses_of(run) == pytest.approx(losses_of(whole), abs=0.03)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("c++"), reason="there is no C++ compiler")
# PyTorch's own code on its way to the compiled graph.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.timeout(600)
def test_a_compiled_network_trains_alike(recipe, whole, tmp_path):
    run = train(changed(recipe, loop={"compile": True}), tmp_path)
    assert losses_of(run) == pytest.approx(losses_of(whole), abs=1e-4)


@pytest.mark.slow
def test_two_processes_train_as_one_does(recipe, tmp_path):
    recipe = changed(recipe, model={"patchout": [0, 1]})
    golden = train(recipe, tmp_path / "golden")
    config, run = write(recipe, tmp_path), RunFolder(tmp_path / "run")
    done = torchrun("-m", "--", "ast_training.cli.main", *command(config, run))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch   1") == 1
    assert losses_of(run) == pytest.approx(losses_of(golden), abs=1e-5)
    assert load_checkpoint(run.last).metrics == load_checkpoint(golden.last).metrics


# Averages


def test_epochs_are_kept_only_in_the_span_that_is_averaged(recipe, tmp_path):
    run = train(changed(recipe, optimizer={"epochs": 4}, average=[2, 3]), tmp_path)
    assert sorted(run.epochs()) == [2, 3]
    kept = [load_checkpoint(path) for path in run.epochs().values()]
    assert not any(checkpoint.state for checkpoint in kept)
    average = load_checkpoint(run.average).weights
    for name, value in average.items():
        mean = (kept[0].weights[name].double() + kept[1].weights[name].double()) / 2
        torch.testing.assert_close(value.double(), mean)


def test_without_a_span_nothing_is_averaged(whole):
    assert whole.epochs() == {}
    assert not whole.average.exists()


def test_an_average_is_made_anew_when_its_run_goes_on(recipe, tmp_path):
    run = train(changed(recipe, average=[1, 2]), tmp_path)
    train(changed(recipe, average=[1, 3], optimizer={"epochs": 3}), tmp_path)
    assert "epoch-003" in load_checkpoint(run.average).provenance["averaged"]


def test_a_run_is_not_made_shorter(recipe, whole):
    with pytest.raises(ConfigError, match="at most 1 epochs"):
        train(changed(recipe, optimizer={"epochs": 1}), whole.path)


def test_an_average_of_epochs_that_were_not_kept_is_refused_before_training(recipe, tmp_path):
    train(changed(recipe, average=[2, 2]), tmp_path)
    with pytest.raises(ConfigError, match="epochs 1 to 3, but the weights of epoch 1 were not"):
        train(changed(recipe, average=[1, 3], optimizer={"epochs": 3}), tmp_path)
    assert load_checkpoint(tmp_path / "last.safetensors").epoch == 2


def test_an_average_that_is_missing_is_made_when_the_run_is_complete(recipe, tmp_path):
    recipe = changed(recipe, average=[1, 2])
    run = train(recipe, tmp_path)
    run.average.unlink()
    train(recipe, tmp_path)
    assert run.average.exists()


def test_a_moving_average_is_evaluated_and_kept_beside_the_weights(recipe, tmp_path):
    run = train(changed(recipe, optimizer={"ema": 0.5}), tmp_path)
    last = load_checkpoint(run.last)
    assert not torch.equal(last.weights["v.pos_embed"], last.state["model.v.pos_embed"])


# Stopping and going on


KILLED = """
import os, signal, sys
from ast_training import fit
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


def write(recipe, folder):
    """Write the recipe as a file (JSON is YAML)."""
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe.model_dump(mode="json")))
    return path


def command(config, run):
    return ["fit", "--config", str(config), "--out", str(run.path), "--threads", "1"]


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


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("number", range(1, 7))
def test_a_run_that_ends_at_any_of_its_files_goes_on_as_if_nothing_had_been(
    recipe, tmp_path, monkeypatch, number, ema
):
    recipe = changed(
        recipe, model={"drop_path": 0.3}, optimizer={"ema": ema}, loop={"save_every": 2}
    )
    golden = train(recipe, tmp_path / "golden")
    save, saved = Checkpoint.save, []

    def stop(checkpoint, path):
        saved.append(path)
        if len(saved) == number:
            raise KeyboardInterrupt
        save(checkpoint, path)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "run")
    assert_same_run(train(recipe, tmp_path / "run"), golden)


def test_what_is_left_of_a_broken_write_is_in_nobodys_way(recipe, whole, tmp_path):
    (tmp_path / "last.safetensors.partial").write_bytes(b"half")
    assert_same_run(train(recipe, tmp_path), whole)
    assert not list(tmp_path.glob("*.partial"))


def test_a_run_may_be_made_longer(recipe, tmp_path):
    run = train(changed(recipe, optimizer={"epochs": 1}), tmp_path)
    train(changed(recipe, optimizer={"epochs": 3}), tmp_path)
    assert [row["epoch"] for row in read_rows(run.metrics)] == ["1", "2", "3"]


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
    before = first_epoch.last.read_bytes()
    with pytest.raises(TrainingError, match=r"lower optimizer\.lr"):
        train(changed(recipe, optimizer={"lr": 1e30}), first_epoch.path)
    assert first_epoch.last.read_bytes() == before


def test_a_run_of_another_model_is_not_continued(recipe, whole):
    with pytest.raises(ConfigError, match="does not have the model of the recipe"):
        train(changed(recipe, model={"frames": 48}), whole.path)


@pytest.mark.parametrize("batch", [2, 8])
def test_a_run_with_another_batch_is_not_continued(recipe, first_epoch, batch):
    with pytest.raises(ConfigError, match="steps in an epoch, got 3"):
        train(changed(recipe, optimizer={"batch": batch}), first_epoch.path)


@pytest.mark.parametrize("label", ["hum", "neither"])
def test_recordings_that_do_not_suffice_are_refused_before_the_first_step(tmp_path, label):
    pack = Pack(tmp_path / "pack")
    pack.add("a.wav", label, hiss(1))
    recipe = make_recipe({"one": pack.config(labels={"hum": "Hum"})})
    with pytest.raises(ConfigError):
        train(recipe, tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
