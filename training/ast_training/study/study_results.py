"""Running a study, and the table of what came out."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from rich.console import Console

from ast_training.base.processes import join_processes
from ast_training.measure.metrics import Metrics, measure
from ast_training.measure.predictions import Predictions, ensemble, load_predictions
from ast_training.model.checkpoint import load_checkpoint
from ast_training.recipe.settings import check_settings
from ast_training.run.fit import fit
from ast_training.run.folder import RunFolder
from ast_training.run.log import read_rows
from ast_training.run.training_data import open_evaluation
from ast_training.study.results import figure, markdown
from ast_training.study.study import Study, Trial

LAST, AVERAGE, BEST = "last epoch", "averaged", "best epoch of the mean curve"


@dataclass(frozen=True)
class Measured:
    """What one model, or ensemble, made of one fold."""

    name: str
    weights: str
    seed: int | None
    """None for an ensemble."""
    fold: int | None
    metrics: Metrics


def run_study(study: Study, runs: Path, console: Console) -> list[Measured]:
    """Train what is not trained yet, and measure every member and ensemble.

    Members are measured with the weights of the last epoch and, where the recipe averages, with the
    average: neither is chosen on what they are measured on.

    Raises:
        ConfigError: if a member was trained by other settings before.
        AstError: as training and evaluation do; what is done stays done.
    """
    predictions: dict[tuple[str, int | None], dict[tuple[str, int], Predictions]] = {}
    for number, trial in enumerate(study.trials, start=1):
        folder = trial.folder(runs, study.config.name)
        console.print(f"[bold]{number}/{len(study.trials)}[/bold] {folder.path}")
        if folder.last.exists():  # else an edited study would print figures of the old one
            check_settings(trial.recipe, load_checkpoint(folder.last).recipe, folder.last)
        fit(trial.recipe, folder, console)
        kinds = [LAST, AVERAGE] if trial.recipe.average else [LAST]
        for kind in kinds:
            found = predict_trial(trial, folder, kind)
            predictions.setdefault((kind, trial.fold), {})[trial.member, trial.seed] = found
    return list(_measure(study, predictions))


def predict_trial(trial: Trial, folder: RunFolder, weights: str) -> Predictions:
    """Run a trained model on the clips held out from it, unless that was done before."""
    checkpoint = folder.last if weights == LAST else folder.average
    path = checkpoint.with_suffix(".predictions")
    with join_processes() as processes:
        processes.wait()  # the main one may still be writing the checkpoint
        if path.exists() and path.stat().st_mtime_ns >= checkpoint.stat().st_mtime_ns:
            return load_predictions(path)
        model = load_checkpoint(checkpoint).build().to(processes.device)
        predictions = open_evaluation(trial.recipe).predict(model, processes)
        if processes.main:
            predictions.save(path)
        processes.wait()
    return predictions


def _measure(
    study: Study, predictions: dict[tuple[str, int | None], dict[tuple[str, int], Predictions]]
) -> Iterator[Measured]:
    for (weights, fold), members in predictions.items():
        for (member, seed), found in members.items():
            yield Measured(member, weights, seed, fold, measure(found))
        for name, of in study.config.ensembles.items():
            if not {*of} <= {member for member, _ in members}:
                continue  # a member without averaged weights
            combined = ensemble([found for (member, _), found in members.items() if member in of])
            yield Measured(name, weights, None, fold, measure(combined))


def best_epochs(study: Study, runs: Path, member: str) -> list[tuple[int, float]]:
    """Find the best epoch of each seed's accuracy, averaged over the folds, and that accuracy.

    The protocol of the AST code for ESC-50: the epoch is chosen once for all folds, on the folds
    that are reported, so the figure is mildly optimistic. Empty where clips have several labels.
    """
    found = []
    for seed in study.config.seeds_of(member):
        trials = [trial for trial in study.trials if (trial.member, trial.seed) == (member, seed)]
        tables = [read_rows(trial.folder(runs, study.config.name).metrics) for trial in trials]
        if not all(row["accuracy"] for table in tables for row in table):
            return []
        curve = np.mean([[float(row["accuracy"]) for row in table] for table in tables], axis=0)
        found.append((int(curve.argmax()) + 1, float(curve.max())))
    return found


def study_table(study: Study, results: Sequence[Measured], runs: Path) -> str:
    """Write the Markdown table of a study: a row for each member or ensemble and kind of weights.

    Figures are means over folds and seeds. "± seeds" is the standard deviation, over the seeds, of
    the accuracy (or of the mAP, where clips have several labels) averaged over the folds; "folds"
    its lowest and highest value in a fold, averaged over the seeds.
    """
    groups: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    for result in results:
        groups[result.name, result.weights].append(result)
    order = [*study.config.members, *study.config.ensembles]
    rows = [["model", "weights", "mAP", "AUC", "d'", "accuracy", "± seeds", "folds", "paper"]]
    for name, weights in sorted(groups, key=lambda key: (order.index(key[0]), key[1] != LAST)):
        rows.append([name, weights, *_figures(groups[name, weights])])
        rows[-1].append(study.config.paper.get(name, ""))
    if study.config.folds:
        rows += _best_rows(study, runs)
    return markdown(_without_empty_columns(rows), names=2)


def _figures(group: Sequence[Measured]) -> list[str]:
    metrics = [result.metrics for result in group]
    accuracies = [m.accuracy for m in metrics if m.accuracy is not None]
    by_seed: dict[int | None, list[float]] = defaultdict(list)
    by_fold: dict[int | None, list[float]] = defaultdict(list)
    for result, m in zip(group, metrics, strict=True):
        headline = m.mean_average_precision if m.accuracy is None else m.accuracy
        by_seed[result.seed].append(headline)
        by_fold[result.fold].append(headline)
    seeds, folds = ([fmean(values) for values in by.values()] for by in (by_seed, by_fold))
    return [
        figure(fmean(m.mean_average_precision for m in metrics), 4),
        figure(fmean(m.mean_auc for m in metrics), 4),
        figure(fmean(m.d_prime for m in metrics), 3),
        figure(fmean(accuracies), 4) if accuracies else "",
        _spread(seeds),
        f"{min(folds):.3f} to {max(folds):.3f}" if len(folds) > 1 else "",
    ]


def _spread(values: Sequence[float]) -> str:
    return f"± {stdev(values):.4f}" if len(values) > 1 else ""


def _best_rows(study: Study, runs: Path) -> list[list[str]]:
    rows = []
    for member in study.config.members:
        best = best_epochs(study, runs, member)
        if best:
            epochs, accuracies = zip(*best, strict=True)
            weights, paper = f"{BEST} ({', '.join(map(str, epochs))})", study.config.paper
            accuracy = [figure(fmean(accuracies), 4), _spread(accuracies), ""]
            rows.append([member, weights, "", "", "", *accuracy, paper.get(member, "")])
    return rows


def _without_empty_columns(rows: list[list[str]]) -> list[list[str]]:
    kept = [i for i in range(len(rows[0])) if any(row[i] for row in rows[1:])]
    return [[row[i] for i in kept] for row in rows]
