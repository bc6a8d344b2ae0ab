import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rigs.training.clips import clip_recipe, tones
from rigs.training.studies import write_study
from rigs.training.torchrun import torchrun
from safetensors.numpy import load_file
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score

from ast_edge.base.errors import BundleError, ConfigError
from ast_training.cli import ensemble
from ast_training.model.checkpoint import Checkpoint
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.study.study import load_study


def call(*words):
    parser = argparse.ArgumentParser()
    ensemble.add_parser(parser.add_subparsers())
    args = parser.parse_args(["ensemble", *map(str, words)])
    return args.command(args)


def table(printed):
    """Return the rows of a Markdown table, by the columns that hold names."""
    rows = [line.strip("|").split("|") for line in printed.splitlines() if line.startswith("| ")]
    header, *body = ([cell.strip() for cell in row] for row in rows)
    names = 2 if "weights" in header else 1
    return {tuple(row[:names]): dict(zip(header, row, strict=True)) for row in body}


# A study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of eight trainings that was run once; the folder of its runs."""
    folder = tmp_path_factory.mktemp("study")
    config = write_study(folder)
    assert call("--config", config, "--runs", folder / "runs", "--threads", "1") == 0
    return config, folder / "runs"


def predictions(runs, member, seed, fold, weights="last"):
    path = runs / "scale" / member / f"seed-{seed}" / f"fold-{fold}" / f"{weights}.predictions"
    tensors = load_file(path)
    exponential = np.exp(tensors["logits"].astype(np.float64))
    return tensors["targets"], exponential / exponential.sum(axis=1, keepdims=True)


def figures(targets, probabilities):
    """Compute what the table has by scikit-learn alone."""
    return (
        average_precision_score(targets, probabilities, average="macro"),
        roc_auc_score(targets, probabilities, average="macro"),
        accuracy_score(targets.argmax(axis=1), probabilities.argmax(axis=1)),
    )


def cells(row):
    return tuple(float(row[column]) for column in ("mAP", "AUC", "accuracy"))


def test_every_member_and_ensemble_is_in_the_table_with_both_kinds_of_weights(study):
    _, runs = study
    rows = table((runs / "scale" / "table.md").read_text(encoding="utf-8"))
    models = ("whole", "halves", "both")
    expected = [(model, weights) for model in models for weights in ("last epoch", "averaged")]
    assert list(rows)[:6] == expected
    assert rows["both", "averaged"]["paper"] == "accuracy 1.0"


@pytest.mark.parametrize("member", ["whole", "halves"])
@pytest.mark.parametrize(("weights", "file"), [("last epoch", "last"), ("averaged", "average")])
def test_figures_of_a_member_are_means_over_its_seeds_and_folds(study, member, weights, file):
    _, runs = study
    rows = table((runs / "scale" / "table.md").read_text(encoding="utf-8"))
    found = [figures(*predictions(runs, member, s, f, file)) for s in (1, 2) for f in (1, 2)]
    assert cells(rows[member, weights]) == pytest.approx(np.mean(found, axis=0), abs=6e-5)


@pytest.mark.parametrize(("weights", "file"), [("last epoch", "last"), ("averaged", "average")])
def test_an_ensemble_is_the_mean_of_its_members_probabilities(study, weights, file):
    _, runs = study
    rows = table((runs / "scale" / "table.md").read_text(encoding="utf-8"))
    found = []
    for fold in (1, 2):
        of = [predictions(runs, m, s, fold, file) for m in ("whole", "halves") for s in (1, 2)]
        found.append(figures(of[0][0], np.mean([probabilities for _, probabilities in of], axis=0)))
    assert cells(rows["both", weights]) == pytest.approx(np.mean(found, axis=0), abs=6e-5)


def test_the_spread_of_a_member_is_that_of_its_seeds(study):
    _, runs = study
    rows = table((runs / "scale" / "table.md").read_text(encoding="utf-8"))
    by_seed = [
        np.mean([figures(*predictions(runs, "halves", seed, fold))[2] for fold in (1, 2)])
        for seed in (1, 2)
    ]
    spread = float(rows["halves", "last epoch"]["± seeds"].removeprefix("± "))
    assert spread == pytest.approx(np.std(by_seed, ddof=1), abs=6e-5)


def test_a_study_that_is_called_again_trains_nothing(study, capsys):
    config, runs = study
    kept = {path: path.stat().st_mtime_ns for path in runs.rglob("*.safetensors")}
    kept |= {path: path.stat().st_mtime_ns for path in runs.rglob("*.predictions")}
    before = (runs / "scale" / "table.md").read_text(encoding="utf-8")
    assert call("--config", config, "--runs", runs) == 0
    assert capsys.readouterr().out.endswith(f"\nscale\n\n{before}\n")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(kept) == 8 * (5 + 2)  # last, best, two epochs, average; and predictions of two


def test_a_trial_that_is_missing_is_trained_again_to_the_same_figures(study, capsys):
    config, runs = study
    before = (runs / "scale" / "table.md").read_text(encoding="utf-8")
    trial = load_study(config).trials[0].folder(runs, "scale")
    for path in (trial.last, trial.average, trial.metrics):
        path.unlink()
    assert call("--config", config, "--runs", runs, "--threads", "1") == 0
    assert table(capsys.readouterr().out) == table(before)


def test_an_edited_study_does_not_print_the_figures_of_the_old_one(study):
    config, runs = study
    recipe = config.parent / "recipe.yaml"
    kept = recipe.read_text(encoding="utf-8")
    recipe.write_text(kept.replace("lr: 0.001", "lr: 0.002"), encoding="utf-8")
    try:
        with pytest.raises(ConfigError, match=r"optimizer\.lr was 0\.001, is 0\.002"):
            call("--config", config, "--runs", runs)
    finally:
        recipe.write_text(kept, encoding="utf-8")


# Checkpoints


@pytest.fixture
def models(tmp_path):
    """A recipe with prepared clips, and two models of other strides for its labels."""
    clips = tones(tmp_path / "clips")
    recipe = tmp_path / "recipe.yaml"
    made = clip_recipe(clips)
    recipe.write_text(made.model_dump_json(), encoding="utf-8")
    paths = []
    for stride in (16, 8):
        spec = replace(made.model_spec, stride=(128, stride))
        weights = AudioSpectrogramTransformer(spec).state_dict()
        paths.append(tmp_path / f"stride-{stride}.safetensors")
        Checkpoint(spec, made.fbank_spec, made.label_set, weights).save(paths[-1])
    return recipe, paths, made


def test_checkpoints_of_various_networks_are_measured_alone_and_together(models, capsys):
    recipe, paths, _ = models
    assert call(*paths, "--recipe", recipe, "--threads", "1") == 0
    rows = table(capsys.readouterr().out)
    assert list(rows) == [(str(paths[0]),), (str(paths[1]),), ("ensemble",)]


def test_they_can_be_measured_on_another_split(models, capsys):
    recipe, paths, _ = models
    call(*paths, "--recipe", recipe)
    validation = capsys.readouterr().out
    call(*paths, "--recipe", recipe, "--split", "train")
    assert capsys.readouterr().out != validation


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("labels", lambda c: replace(c, labels=c.labels[::-1])),
        ("front end", lambda c: replace(c, fbank=replace(c.fbank, window="hamming"))),
        ("window", lambda c: replace(c, model=replace(c.model, frames=64))),
        ("activation", lambda c: replace(c, model=replace(c.model, activation="softmax"))),
    ],
)
def test_a_checkpoint_for_other_clips_is_refused(models, part, change, tmp_path):
    recipe, paths, made = models
    odd = Checkpoint(made.model_spec, made.fbank_spec, made.label_set, {})
    change(odd).save(tmp_path / "odd.safetensors")
    with pytest.raises(ConfigError, match=f"odd.safetensors: does not have the {part} of"):
        call(paths[0], tmp_path / "odd.safetensors", "--recipe", recipe)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "expected either checkpoints or --config"),
        (["a", "b", "--config", "c"], "expected either checkpoints or --config"),
        (["a", "b"], "expected --recipe"),
        (["a", "--recipe", "r"], "expected two checkpoints or more, got only a"),
        (["a", "b", "--recipe", "none.yaml"], "none.yaml: cannot be read"),
        (["--config", "none.yaml"], "none.yaml: cannot be read"),
    ],
)
def test_refuses_what_it_cannot_combine(words, message):
    with pytest.raises(ConfigError, match=message):
        call(*words)


def test_a_checkpoint_that_does_not_exist_is_named(models):
    recipe, paths, _ = models
    with pytest.raises(BundleError, match=r"none\.safetensors: not a readable checkpoint"):
        call(paths[0], Path("none.safetensors"), "--recipe", recipe)


@pytest.mark.slow
def test_a_study_runs_in_several_processes_and_prints_its_table_once(tmp_path):
    config = write_study(tmp_path, seeds=[1], folds=[])
    command = ("-m", "ast_training.cli.main", "ensemble", "--config", str(config))
    done = torchrun(*command, "--runs", str(tmp_path / "runs"))
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "runs" / "scale" / "table.md").read_text(encoding="utf-8")
    assert done.stdout.count(written) == 1
    assert done.stdout.count("| model ") == 1
    assert len(table(written)) == 6
