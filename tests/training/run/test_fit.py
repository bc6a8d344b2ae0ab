import shutil

import pytest
import torch
from rigs.training.clips import clip_recipe
from rigs.training.packs import Pack, backgrounds, hiss, make_recipe, two_sounds
from rigs.training.torchrun import torchrun
from rigs.training.training_runs import changed, command, losses_of, train, write
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ast_edge.base.errors import ConfigError
from ast_training.measure.event_figures import EventFigures
from ast_training.model.checkpoint import load_checkpoint
from ast_training.run.folder import RunFolder
from ast_training.run.log import read_rows
from ast_training.run.training_data import open_data
from ast_training.run.validation_scenes import ValidationScenes

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


def scene_recipe(tmp_path, **sections):
    packs = two_sounds(tmp_path / "sounds") | backgrounds(tmp_path / "n", 2, validation_share=1.0)
    scenes = {"validation_minutes": 1}
    return make_recipe(packs, model={"frame_head": True}, soundscapes=scenes, **sections)


def test_steps_are_scored_on_scenes_after_every_epoch(tmp_path):
    run = train(scene_recipe(tmp_path), tmp_path / "run")
    rows = read_rows(run.metrics)
    assert all(0 <= float(row[key]) <= 1 for row in rows for key in ("events", "psds1"))
    events = EventAccumulator(str(run.curves))
    events.Reload()
    assert {"epoch/events", "epoch/events_macro", "epoch/psds1"} <= set(events.Tags()["scalars"])


def test_the_best_may_be_chosen_by_the_events_of_scenes(tmp_path, monkeypatch):
    figures = iter(
        EventFigures(0.5, micro_f1, macro_f1=0.0, psds1=0.0, false_alarms=None)
        for micro_f1 in (0.5, 0.25)
    )
    monkeypatch.setattr(ValidationScenes, "score", lambda *args: next(figures))
    run = train(scene_recipe(tmp_path, select="events"), tmp_path / "run")
    assert (load_checkpoint(run.best).epoch, load_checkpoint(run.last).epoch) == (1, 2)
    assert load_checkpoint(run.best).metrics["scenes"]["micro_f1"] == 0.5


def test_a_run_that_began_without_scenes_goes_on_with_them(tmp_path):
    recipe = scene_recipe(tmp_path, optimizer={"epochs": 1})
    run = train(changed(recipe, soundscapes={"validation_minutes": 0}), tmp_path / "run")
    train(changed(recipe, optimizer={"epochs": 2}), run.path)
    assert [bool(row["events"]) for row in read_rows(run.metrics)] == [False, True]


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


@pytest.mark.parametrize("label", ["hum", "neither"])
def test_recordings_that_do_not_suffice_are_refused_before_the_first_step(tmp_path, label):
    pack = Pack(tmp_path / "pack")
    pack.add("a.wav", label, hiss(1))
    recipe = make_recipe({"one": pack.config(labels={"hum": "Hum"})})
    with pytest.raises(ConfigError):
        train(recipe, tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
