"""The metrics against sed_eval and sed_scores_eval; golden/make.py computes what is expected."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ast_edge.evaluation.counts import Counts, macro_f1, micro
from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.event_metrics import COLLARS, count_events
from ast_edge.evaluation.psds import SCENARIOS, make_roc, psds
from ast_edge.evaluation.segment_metrics import (
    SegmentErrors,
    activity,
    count_errors,
    count_segments,
)
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.threshold_sweep import join, sweep

GOLDEN = Path(__file__).parent / "golden"
TREE = json.loads((GOLDEN / "golden.json").read_text())
LABELS, RECORDINGS, EXPECTED = TREE["labels"], TREE["recordings"], TREE["results"]


def spans(recording, kind, label):
    return sorted(Span(onset, offset) for onset, offset, name in recording[kind] if name == label)


def counts_of(collar):
    return {
        label: micro(
            count_events(spans(one, "references", label), spans(one, "detected", label), collar)
            for one in RECORDINGS
        )
        for label in LABELS
    }


@pytest.mark.parametrize("name", COLLARS)
def test_event_metrics_are_those_of_sed_eval(name):
    counts, expected = counts_of(COLLARS[name]), EXPECTED[name]
    for figure in ("f1", "precision", "recall"):
        found = {label: getattr(one, figure) for label, one in counts.items()}
        assert found == pytest.approx(expected[figure], abs=1e-12)
    assert micro(counts.values()).f1 == pytest.approx(expected["micro"], abs=1e-12)
    assert macro_f1(counts.values()) == pytest.approx(expected["macro"], abs=1e-12)


def test_segment_metrics_are_those_of_sed_eval():
    counts, errors = [Counts()] * len(LABELS), SegmentErrors()
    for one in RECORDINGS:
        references, detected = (
            activity([spans(one, kind, label) for label in LABELS], TREE["seconds"])
            for kind in ("references", "detected")
        )
        counts = [a + b for a, b in zip(counts, count_segments(references, detected), strict=True)]
        errors += count_errors(references, detected)
    expected = EXPECTED["segment"]
    found = {label: one.f1 for label, one in zip(LABELS, counts, strict=True)}
    assert found == pytest.approx(expected["f1"], abs=1e-12)
    assert micro(counts).f1 == pytest.approx(expected["micro"], abs=1e-12)
    assert errors.rate == pytest.approx(expected["error_rate"], abs=1e-12)


def curve_of(recording):
    scores = np.array(recording["scores"])
    edges = np.arange(len(scores) + 1) * TREE["step"]
    return Curve(edges[:-1], edges[1:], edges[1:], scores)


def rocs_of(scenario):
    rocs = []
    hours = len(RECORDINGS) * TREE["seconds"] / 3600
    for column, label in enumerate(LABELS):
        others = [other for other in LABELS if other != label]
        changes = join(
            [
                sweep(
                    curve_of(one),
                    column,
                    spans(one, "references", label),
                    [spans(one, "references", other) for other in others],
                    scenario.criteria,
                )
                for one in RECORDINGS
            ]
        )
        lengths = [
            sum(span.duration for one in RECORDINGS for span in spans(one, "references", other))
            for other in others
        ]
        count = sum(len(spans(one, "references", label)) for one in RECORDINGS)
        rocs.append(make_roc(changes, count, lengths, hours, scenario))
    return rocs


@pytest.mark.parametrize(
    ("name", "scenario"),
    [*SCENARIOS.items(), ("psds2 to 2000", replace(SCENARIOS["psds2"], max_efpr=2000.0))],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_psds_is_that_of_sed_scores_eval(name, scenario):
    rocs, expected = rocs_of(scenario), EXPECTED[name]
    found = {label: roc.area(scenario.max_efpr) for label, roc in zip(LABELS, rocs, strict=True)}
    assert found == pytest.approx(expected["by_label"], abs=1e-12)
    assert psds(rocs, scenario) == pytest.approx(expected["score"], abs=1e-12)
    assert 0.01 < expected["score"] < 0.99


def test_the_libraries_still_say_what_was_stored():
    pytest.importorskip("sed_eval", reason="sed_eval is not installed (golden/make.py)")
    pytest.importorskip("sed_scores_eval", reason="sed_scores_eval is not installed")
    spec = importlib.util.spec_from_file_location("make", GOLDEN / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    found = make.by_sed_eval(RECORDINGS) | make.by_sed_scores_eval(RECORDINGS)
    for name, results in EXPECTED.items():
        for figure, expected in results.items():
            assert found[name][figure] == pytest.approx(expected, abs=1e-9)
