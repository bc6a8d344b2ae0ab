import csv
import os
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from rigs.training.studies import write_study

from ast_training.measure.metrics import measure
from ast_training.measure.predictions import Predictions, load_predictions
from ast_training.study.study import load_study
from ast_training.study.study_results import (
    AVERAGE,
    LAST,
    Measured,
    best_epochs,
    predict_trial,
    run_study,
    study_table,
)

QUIET = Console(quiet=True)


def study_of(folder, **changes):
    return load_study(write_study(folder, **{"ensembles": {}, "paper": {}} | changes))


def metrics(right, of=10):
    """The metrics of a model that names so many of the clips right."""
    targets = np.eye(2, dtype=np.float32)[np.arange(of) % 2]
    logits = np.where(np.arange(of)[:, None] < right, targets, 1 - targets).astype(np.float32)
    clips = tuple(map(str, range(of)))
    return measure(Predictions(("Whistle", "Hum"), clips, targets, logits, "softmax"))


def rows_of(table):
    header, _, *body = (line.strip("|").split("|") for line in table.splitlines())
    names = [cell.strip() for cell in header]
    return [dict(zip(names, (cell.strip() for cell in row), strict=True)) for row in body]


# The table


def test_spread_is_over_seeds_and_range_over_folds(tmp_path):
    study = study_of(tmp_path, members={"whole": {}})
    right = {(1, 1): 5, (1, 2): 7, (2, 1): 6, (2, 2): 10}  # of ten, by seed and fold
    found = [Measured("whole", LAST, s, f, metrics(n)) for (s, f), n in right.items()]
    write_accuracies(study, tmp_path / "runs", {key: [""] for key in right})
    (row,) = rows_of(study_table(study, found, tmp_path / "runs"))
    assert row["accuracy"] == "0.7000"
    assert row["± seeds"] == f"± {np.std([0.6, 0.8], ddof=1):.4f}"
    assert row["folds"] == "0.550 to 0.850"


def test_a_single_model_has_neither_spread_nor_range(tmp_path):
    study = study_of(tmp_path, members={"whole": {}}, seeds=[1], folds=[])
    found = [Measured("whole", LAST, 1, None, metrics(7))]
    (row,) = rows_of(study_table(study, found, tmp_path))
    assert list(row) == ["model", "weights", "mAP", "AUC", "d'", "accuracy"]


def test_clips_of_several_labels_have_no_accuracy_and_spread_by_map(tmp_path):
    study = study_of(tmp_path, members={"whole": {}}, folds=[])
    several = [replace(metrics(n), accuracy=None) for n in (6, 8)]
    found = [Measured("whole", LAST, seed, None, m) for seed, m in enumerate(several, start=1)]
    (row,) = rows_of(study_table(study, found, tmp_path))
    expected = np.std([m.mean_average_precision for m in several], ddof=1)
    assert "accuracy" not in row
    assert row["± seeds"] == f"± {expected:.4f}"


def test_models_stand_in_the_order_of_the_study_last_epochs_first(tmp_path):
    study = study_of(tmp_path, folds=[], ensembles={"both": ["whole", "halves"]})
    found = [
        Measured(name, weights, None, None, metrics(7))
        for name in ("both", "halves", "whole")
        for weights in (AVERAGE, LAST)
    ]
    rows = rows_of(study_table(study, found, tmp_path))
    expected = [(name, w) for name in ("whole", "halves", "both") for w in (LAST, AVERAGE)]
    assert [(row["model"], row["weights"]) for row in rows] == expected


# The protocol of the authors for ESC-50


def write_accuracies(study, runs, accuracies):
    """Write the metrics.csv of trials by seed and fold."""
    for trial in study.trials:
        run = trial.folder(runs, study.config.name)
        run.path.mkdir(parents=True)
        with run.metrics.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["epoch", "accuracy"])
            writer.writeheader()
            for epoch, accuracy in enumerate(accuracies[trial.seed, trial.fold], start=1):
                writer.writerow({"epoch": epoch, "accuracy": accuracy})


@pytest.fixture
def curves(tmp_path):
    """Two seeds, two folds, three epochs; the best epoch of a fold is not that of its seed."""
    study = study_of(tmp_path, members={"whole": {}}, paper={"whole": "accuracy 0.956"})
    accuracies = {
        (1, 1): [0.9, 0.7, 0.1],
        (1, 2): [0.1, 0.5, 0.6],
        (2, 1): [0.2, 0.3, 0.8],
        (2, 2): [0.2, 0.9, 0.6],
    }
    write_accuracies(study, tmp_path / "runs", accuracies)
    return study, tmp_path / "runs"


def test_the_best_epoch_is_chosen_once_for_all_folds_of_a_seed(curves):
    study, runs = curves
    best = best_epochs(study, runs, "whole")
    assert [epoch for epoch, _ in best] == [2, 3]
    assert [accuracy for _, accuracy in best] == pytest.approx([0.6, 0.7])


def test_its_accuracy_stands_in_the_table_with_its_spread_and_the_figure_of_the_paper(curves):
    study, runs = curves
    found = [Measured("whole", LAST, 1, 1, metrics(7))]
    row = rows_of(study_table(study, found, runs))[-1]
    assert row["weights"] == "best epoch of the mean curve (2, 3)"
    assert row["accuracy"] == "0.6500"
    assert row["± seeds"] == f"± {np.std([0.6, 0.7], ddof=1):.4f}"
    assert row["paper"] == "accuracy 0.956"


def test_there_is_no_best_epoch_by_accuracy_where_clips_have_several_labels(tmp_path):
    study = study_of(tmp_path, members={"whole": {}}, seeds=[1], folds=[1])
    write_accuracies(study, tmp_path / "runs", {(1, 1): ["", ""]})
    assert best_epochs(study, tmp_path / "runs", "whole") == []


# Running


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A study of two models, of which only one averages its weights, that was run."""
    folder = tmp_path_factory.mktemp("study")
    members = {"whole": {}, "plain": {"average": None}}
    ensembles = {"both": ["whole", "plain"]}
    study = study_of(folder, members=members, ensembles=ensembles, seeds=[1], folds=[])
    return study, folder / "runs", run_study(study, folder / "runs", QUIET)


def test_an_ensemble_has_all_its_members_or_is_left_out(done):
    _, _, results = done
    assert [(r.name, r.weights) for r in results] == [
        ("whole", LAST),
        ("plain", LAST),
        ("both", LAST),
        ("whole", AVERAGE),
    ]


def test_predictions_are_made_again_for_newer_weights(done):
    study, runs, _ = done
    trial = study.trials[0]
    run = trial.folder(runs, study.config.name)
    path = run.last.with_suffix(".predictions")
    truth = load_predictions(path)
    replace(truth, logits=truth.logits + 1).save(path)
    kept = predict_trial(trial, run, LAST)
    assert np.array_equal(kept.logits, truth.logits + 1)
    newer = path.stat().st_mtime_ns + 1
    os.utime(run.last, ns=(newer, newer))
    assert np.array_equal(predict_trial(trial, run, LAST).logits, truth.logits)
