"""Evaluation reports: one HTML page for people, and the same numbers as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from ast_edge.frontend.fbank import FbankSpec
from ast_training.base.atomic_file import atomic_file
from ast_training.measure.metrics import Metrics
from ast_training.measure.predictions import Predictions
from ast_training.report import sections
from ast_training.report.findings import frequent_confusions, surest
from ast_training.report.sections import Spectrogram
from ast_training.study.results import Result

EXAMPLES = 6
CONFUSIONS = 15


def write_report(
    path: Path,
    *,
    title: str,
    predictions: Predictions,
    metrics: Metrics,
    curves: Sequence[Mapping[str, str]] = (),
    details: Mapping[str, str] | None = None,
    spectrogram: Spectrogram | None = None,
    frame_shift: float = FbankSpec.frame_shift_ms / 1000,
    baseline: Sequence[Result] = (),
    left_out: Mapping[str, int] | None = None,
) -> None:
    """Write a page that needs no other file.

    Args:
        path: the HTML file.
        title: what was evaluated; its name beside the baseline.
        predictions: of all clips.
        metrics: `measure(predictions)`.
        curves: rows of the run's metrics.csv.
        details: what, when, on which machine; shown as they are.
        spectrogram: gives the filterbank of a clip, in natural-log energies before normalisation.
        frame_shift: seconds from one of its frames to the next.
        baseline: figures to compare with.
        left_out: reason to the number of clips left out for it.

    Raises:
        TrainingError: if it cannot be written.
    """
    body = [
        sections.head(title, details or {}),
        sections.headline(metrics),
        sections.coverage(metrics, left_out or {}),
        sections.comparison(title, metrics, baseline) if baseline else "",
        sections.training(curves) if curves else "",
        sections.labels(metrics),
        sections.precision_recall(predictions, metrics),
        sections.confusions(predictions, frequent_confusions(predictions, CONFUSIONS)),
        sections.examples(
            "Confidently wrong",
            "The wrong first guesses with the highest scores, at most one of each label. Some of "
            "them may be mistakes of the labels, not of the model.",
            surest(predictions, right=False, count=EXAMPLES),
            spectrogram,
            frame_shift,
        ),
        sections.examples(
            "Confidently right",
            "The right first guesses with the highest scores, at most one of each label.",
            surest(predictions, right=True, count=EXAMPLES),
            spectrogram,
            frame_shift,
        ),
    ]
    template = Template((files("ast_training.report") / "page.html").read_text(encoding="utf-8"))
    page = template.substitute(title=escape(title), body="\n".join(body))
    with atomic_file(path) as partial:
        partial.write_text(page, encoding="utf-8")


def write_json(
    path: Path,
    *,
    title: str,
    predictions: Predictions,
    metrics: Metrics,
    curves: Sequence[Mapping[str, str]] = (),
    details: Mapping[str, str] | None = None,
    baseline: Sequence[Result] = (),
    left_out: Mapping[str, int] | None = None,
) -> None:
    """Write the numbers of the report; arguments and errors are those of `write_report`."""
    tree = {
        "title": title,
        "details": dict(details or {}),
        "metrics": metrics.as_dict(),
        "left_out_clips": dict(left_out or {}),
        "left_out_labels": metrics.left_out,
        "baseline": [asdict(result) for result in baseline],
        "curves": [dict(row) for row in curves],
        "confusions": [asdict(c) for c in frequent_confusions(predictions, CONFUSIONS)],
        "confidently_wrong": [asdict(e) for e in surest(predictions, right=False, count=EXAMPLES)],
        "confidently_right": [asdict(e) for e in surest(predictions, right=True, count=EXAMPLES)],
    }
    text = json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
