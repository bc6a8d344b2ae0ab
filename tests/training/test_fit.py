import csv
import io
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from rich.console import Console
from rigs.packs import Pack, hiss, make_recipe, tone, two_sounds, write_recipe

from ast_edge.errors import ConfigError
from ast_training import fit as fit_module
from ast_training.checkpoint import load_checkpoint
from ast_training.errors import TrainingError
from ast_training.fit import batches, fit
from ast_training.mixing import Mixer


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    return two_sounds(tmp_path_factory.mktemp("fit") / "sounds")


@pytest.fixture(scope="module")
def recipe(packs):
    return make_recipe(packs, model={"drop_path": 0.1})


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory):
    """Two epochs without a break."""
    folder = tmp_path_factory.mktemp("fit") / "run"
    fit(recipe, folder, silent())
    return folder


def silent():
    return Console(file=io.StringIO())


def rows_of(run):
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def losses_of(run):
    return [float(row["loss"]) for row in rows_of(run)]


def test_writes_a_row_of_metrics_per_epoch(run):
    rows = rows_of(run)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(0 < float(row["loss"]) < 2 for row in rows)
    assert all(0 <= float(row["map"]) <= 1 for row in rows)


def test_last_checkpoint_holds_what_resuming_needs_and_the_best_does_not(run):
    assert load_checkpoint(run / "last.safetensors").epoch == 2
    assert load_checkpoint(run / "last.safetensors").state
    assert not load_checkpoint(run / "best.safetensors").state


def test_checkpoint_says_what_it_is(run, recipe):
    best = load_checkpoint(run / "best.safetensors")
    assert best.labels == recipe.label_set
    assert best.model == recipe.model_spec
    assert best.recipe["name"] == "small"
    assert best.provenance["torch"] == str(torch.__version__)
    assert best.metrics["macro_ap"] == round(max(float(r["map"]) for r in rows_of(run)), 4)


def test_returns_the_best_and_does_nothing_when_the_run_is_complete(run, recipe):
    before = (run / "last.safetensors").stat().st_mtime_ns
    best = fit(recipe, run, silent())
    assert best == max(float(row["map"]) for row in rows_of(run))
    assert (run / "last.safetensors").stat().st_mtime_ns == before


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(run, recipe, tmp_path, monkeypatch):
    seen = []
    example = Mixer.example

    def interrupted(mixer, seed):
        seen.append(seed)
        if len(seen) == 14:  # within the second step of the second epoch
            raise KeyboardInterrupt
        return example(mixer, seed)

    monkeypatch.setattr(Mixer, "example", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, tmp_path / "run", silent())
    assert load_checkpoint(tmp_path / "run" / "last.safetensors").epoch == 1
    fit(recipe, tmp_path / "run", silent())
    assert losses_of(tmp_path / "run") == pytest.approx(losses_of(run), abs=1e-6)
    resumed = load_checkpoint(tmp_path / "run" / "last.safetensors")
    whole = load_checkpoint(run / "last.safetensors")
    for key, value in (whole.weights | whole.state).items():
        torch.testing.assert_close((resumed.weights | resumed.state)[key], value)


def test_an_epoch_that_was_not_saved_is_done_again(recipe, run, tmp_path, monkeypatch):
    def crash(state, recipe, scores):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(fit_module.TrainingState, "checkpoint", crash)
        with pytest.raises(OSError, match="No space left"):
            fit(recipe, tmp_path / "run", silent())
    assert len(rows_of(tmp_path / "run")) == 1
    fit(recipe, tmp_path / "run", silent())
    assert losses_of(tmp_path / "run") == pytest.approx(losses_of(run), abs=1e-6)


def test_a_run_of_another_model_is_not_continued(packs, run):
    with pytest.raises(ConfigError, match="does not have the model of the recipe"):
        fit(make_recipe(packs, model={"frames": 48}), run, silent())


def test_a_loss_that_is_not_finite_stops_the_run(packs, tmp_path):
    settings = {"lr": 1e30, "clip_norm": 1e30, "examples_per_epoch": 40}
    with pytest.raises(TrainingError, match="lower lr"):
        fit(make_recipe(packs, optimizer=settings), tmp_path / "run", silent())


@pytest.mark.parametrize("label", ["hum", "neither"])
def test_recordings_that_do_not_suffice_are_refused_before_the_first_step(tmp_path, label):
    pack = Pack(tmp_path / "pack")
    pack.add("a.wav", label, hiss(1))
    recipe = make_recipe({"one": pack.config(labels={"hum": "Hum"})})
    with pytest.raises(ConfigError):
        fit(recipe, tmp_path / "run", silent())
    assert not (tmp_path / "run" / "metrics.csv").exists()


def test_batches_are_the_same_for_the_same_epoch_and_differ_between_epochs(recipe):
    class Seeds:
        def example(self, seed):
            return np.array(seed, np.float32), np.zeros(1, np.float32)

    first, again, second = (
        torch.cat([features for features, _ in batches(Seeds(), recipe, epoch)])
        for epoch in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert len({tuple(seed.tolist()) for seed in torch.cat([first, second])}) == 16


def test_learns_two_sounds_that_are_easy_to_tell_apart(tmp_path):
    pack = Pack(tmp_path / "pack")
    for take in range(4):
        pack.add(f"w{take}.wav", "whistle", tone(3000), source=f"w{take}")
        pack.add(f"h{take}.wav", "hum", tone(200), source=f"h{take}")
    labels = {"whistle": "Whistle", "hum": "Hum"}
    recipe = make_recipe(
        {"one": pack.config(labels=labels, group="source", validation_share=0.25)},
        mix={"second": 0, "negatives": 0},
        optimizer={"epochs": 3, "examples_per_epoch": 48, "batch": 8, "lr": 1e-4, "ema": 0.5},
    )
    best = fit(recipe, tmp_path / "run", silent())
    losses = losses_of(tmp_path / "run")
    assert losses[-1] < losses[0] / 2
    assert best == 1.0


@pytest.mark.slow
def test_goes_on_after_being_killed(packs, tmp_path):
    config = write_recipe(tmp_path / "long.yaml", packs, optimizer={"epochs": 10_000})
    run = tmp_path / "run"
    command = [sys.executable, "-m", "ast_training.cli.main", "fit", "--threads", "1"]
    with subprocess.Popen(
        [*command, "--config", str(config), "--run", str(run)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as child:
        assert any(line.startswith("epoch   1") for line in child.stdout)
        child.kill()
    assert child.returncode == -signal.SIGKILL
    done = load_checkpoint(run / "last.safetensors").epoch
    fit(make_recipe(packs, optimizer={"epochs": done + 2}), run, silent())
    assert [int(row["epoch"]) for row in rows_of(run)] == list(range(1, done + 3))
    assert load_checkpoint(run / "last.safetensors").epoch == done + 2
