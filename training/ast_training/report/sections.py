"""Sections of the evaluation report: values in, HTML out.

Names of labels and clips are data of users: every text goes through `escape`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from ast_training.measure.metrics import Metrics
from ast_training.measure.predictions import Predictions
from ast_training.report import plots
from ast_training.report.findings import Confusion, Example, confusion_matrix
from ast_training.study.results import COLUMNS, Result, figure

MANY_LABELS = 60
"""Above it, not every label gets a curve and a row of the confusion matrix."""
NAMES = 12
"""Labels left out that are named; the table of labels has them all."""

Spectrogram = Callable[[int], NDArray[np.float32]]
"""Clip index to its filterbank (frames, mels), natural-log energies."""


def head(title: str, details: Mapping[str, str]) -> str:
    """Write the title, and what was measured, when and where."""
    terms = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in details.items())
    return f"<h1>{escape(title)}</h1>\n<dl>{terms}</dl>"


def headline(metrics: Metrics) -> str:
    """Write the figures of the whole set, each with what it means."""
    ranked = ~np.isnan(metrics.average_precisions)
    chance = metrics.positives[ranked].mean() / metrics.clips
    ap, accuracy = metrics.mean_average_precision, metrics.accuracy
    cards = [
        (
            "mAP",
            figure(ap, 3),
            "Mean average precision. For each label, all clips are ranked by its score: 1 means "
            "that those with the label come first. A ranking at random gets "
            f"about {chance:.3f} here.",
        ),
        (
            "AUC",
            figure(metrics.mean_auc, 4),
            "How often a clip with a label scores higher for it than a clip without; 0.5 is a "
            "guess. The mean over the labels.",
        ),
        (
            "d'",
            figure(metrics.d_prime, 3),
            "The AUC as a distance, in standard deviations, between the scores of clips with "
            "and without a label; it tells high AUCs apart.",
        ),
        (
            "accuracy",
            figure(accuracy, 3),
            "The share of the clips whose highest score is at their label."
            if accuracy is not None
            else "Not defined here, since some clips have several labels or none.",
        ),
    ]
    return (
        '<div class="figures">'
        + "".join(
            f"<div>{name}<strong>{value}</strong><p>{text}</p></div>" for name, value, text in cards
        )
        + "</div>"
    )


def coverage(metrics: Metrics, left_out_clips: Mapping[str, int]) -> str:
    """Write how many clips and labels count, and why others do not."""
    count = len(metrics.labels) - len(metrics.left_out)
    sentences = [f"{metrics.clips:,} clips and {count:,} labels count."]
    sentences += [f"{n:,} clips were left out: {why}." for why, n in left_out_clips.items()]
    if names := metrics.left_out:
        listed = ", ".join(names[:NAMES])
        more = f" and {len(names) - NAMES:,} more" if len(names) > NAMES else ""
        sentences.append(
            f"{len(names):,} of {len(metrics.labels):,} labels are left out of the means, because "
            f"no clip has them or every clip does: {listed}{more}."
        )
    return f'<p class="muted">{escape(" ".join(sentences))}</p>'


def comparison(title: str, metrics: Metrics, others: Sequence[Result]) -> str:
    """Write this model's figures beside those of others."""
    rows = [Result.of(title, metrics), *others]
    head_row = "".join(f'<th{_number(i)} scope="col">{c}</th>' for i, c in enumerate(COLUMNS))
    body = "".join(
        "<tr>"
        + "".join(f"<td{_number(i)}>{escape(c)}</td>" for i, c in enumerate(r.cells()))
        + "</tr>"
        for r in rows
    )
    return (
        "<h2>Beside others</h2>\n"
        f'<div class="box"><table class="wide"><thead><tr>{head_row}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def training(rows: Sequence[Mapping[str, str]]) -> str:
    """Draw how the run went, epoch by epoch."""
    pictures = "".join(f"<figure>{svg}</figure>" for svg in plots.training_curves(rows))
    return f'<h2>Training</h2>\n<div class="curves">{pictures}</div>'


def labels(metrics: Metrics) -> str:
    """Write a row for each label, the best first, with a bar for its average precision."""
    aps = metrics.average_precisions
    rows = []
    for i in np.argsort(-np.nan_to_num(aps, nan=-1), kind="stable"):
        bar = "" if np.isnan(aps[i]) else f'<i style="width:{100 * aps[i]:.1f}%"></i>'
        rows.append(
            f'<tr><th scope="row">{escape(metrics.labels[i])}</th><td class="bar">{bar}</td>'
            f'<td class="number">{figure(aps[i], 3)}</td>'
            f'<td class="number">{figure(metrics.aucs[i], 3)}</td>'
            f'<td class="number">{metrics.positives[i]:,}</td></tr>'
        )
    return (
        "<h2>Labels</h2>\n<p>Average precision of each label. With few clips it is a rough figure."
        f'</p>\n<div class="box{" long" if len(rows) > MANY_LABELS else ""}" role="region" '
        'aria-label="Labels" tabindex="0"><table class="wide"><thead><tr>'
        '<th scope="col">label</th><th class="bar"></th>'
        '<th class="number" scope="col">AP</th><th class="number" scope="col">AUC</th>'
        '<th class="number" scope="col">clips</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def precision_recall(predictions: Predictions, metrics: Metrics) -> str:
    """Draw the curve of each label; of many only best, median and worst, and of all pooled."""
    targets, scores = predictions.targets, predictions.scores()
    aps = metrics.average_precisions
    order = [int(i) for i in np.argsort(-aps, kind="stable") if not np.isnan(aps[i])]
    captions = {i: metrics.labels[i] for i in order}
    if many := len(order) > MANY_LABELS:
        places = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
        captions = {i: f"{place}: {metrics.labels[i]}" for place, i in places.items()}
    panels = [_panel(text, targets[:, i], scores[:, i]) for i, text in captions.items()]
    if many:
        panels.append(_panel("all labels pooled", targets.ravel(), scores.ravel()))
    return (
        "<h2>Precision and recall</h2>\n<p>Down a label's ranking: the share of its clips found so "
        "far (recall), and the share of what was found that is right (precision).</p>\n"
        f'<div class="panels">{"".join(panels)}</div>'
    )


def _panel(caption: str, targets: NDArray[np.float32], scores: NDArray[np.float32]) -> str:
    precision, recall, _ = precision_recall_curve(targets, scores)
    area = -np.sum(np.diff(recall) * precision[:-1])
    svg = plots.precision_recall(
        recall, precision, f"Precision over recall of {caption}: average precision {area:.3f}"
    )
    return (
        f"<figure><figcaption><b>{escape(caption)}</b>AP {area:.3f}, {int(targets.sum()):,} "
        f"positives</figcaption>{svg}</figure>"
    )


def confusions(predictions: Predictions, frequent: Sequence[Confusion]) -> str:
    """Write which labels are taken for which: the most frequent, and the matrix if it is small."""
    rows = "".join(
        f"<tr><td>{escape(c.truth)}</td><td>{escape(c.guess)}</td>"
        f'<td class="number">{c.clips:,} of {c.positives:,}</td>'
        f'<td class="number">{c.clips / c.positives:.1%}</td></tr>'
        for c in frequent
    )
    table = (
        '<div class="box"><table><thead><tr><th scope="col">truth</th>'
        '<th scope="col">first guess</th><th class="number" scope="col">clips</th>'
        f'<th class="number" scope="col">share</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )
    small = predictions.single_label and len(predictions.labels) <= MANY_LABELS
    return (
        "<h2>Confusions</h2>\n<p>The first guess is the label with the highest score; it is wrong "
        "if the clip does not have that label.</p>\n"
        + (table if frequent else "<p>No first guess is wrong.</p>")
        + (_matrix(predictions) if small else "")
    )


def _matrix(predictions: Predictions) -> str:
    matrix = confusion_matrix(predictions)
    names = [escape(label) for label in predictions.labels]
    columns = "".join(f'<th scope="col"><span>{name}</span></th>' for name in names)
    body = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(_cells(i, row))}</tr>'
        for i, (name, row) in enumerate(zip(names, matrix, strict=True))
    )
    return (
        '<p class="gap">Each row is a label in truth, each column a first guess; cells count '
        "clips.</p>\n"
        '<div class="box" role="region" aria-label="Confusion matrix" tabindex="0">'
        f'<table class="matrix"><thead><tr><td></td>{columns}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cells(truth: int, row: NDArray[np.int64]) -> Iterator[str]:
    for guess, count in enumerate(row):
        if not count:
            yield "<td></td>"
            continue
        share = count / row.sum()
        kind = "right" if guess == truth else "wrong"
        strong = " strong" if share > 0.5 else ""
        yield f'<td class="{kind}{strong}" style="--share:{0.1 + 0.9 * share:.2f}">{count}</td>'


def examples(
    title: str,
    intro: str,
    chosen: Sequence[Example],
    spectrogram: Spectrogram | None,
    frame_shift: float,
) -> str:
    """Show clips with their labels, what the model took them for, and how they look."""
    shown = "".join(_example(example, spectrogram, frame_shift) for example in chosen)
    return f"<h2>{escape(title)}</h2>\n<p>{escape(intro)}</p>\n" + (
        f'<div class="examples">{shown}</div>' if chosen else "<p>There is none.</p>"
    )


def _example(example: Example, spectrogram: Spectrogram | None, frame_shift: float) -> str:
    truth = ", ".join(example.truth) or "none of the labels"
    guesses = ", ".join(f"{label} {p:.2f}" for label, p in example.guesses)
    svg = ""
    # A clip that is shorter than a frame has none, and nothing to show.
    if spectrogram and len(fbank := spectrogram(example.index)):
        svg = plots.spectrogram(fbank, frame_shift, f"Spectrogram of {example.clip}, {truth}")
    return (
        f"<figure>{svg}<figcaption><b>{escape(truth)}</b>guessed: {escape(guesses)}<br>"
        f"{escape(example.clip)}</figcaption></figure>"
    )


def _number(column: int) -> str:
    return ' class="number"' if column else ""
