import json
from dataclasses import replace

import numpy as np
import pytest

from ast_edge.detection.groups import Group
from ast_edge.detection.tracker import Step
from ast_edge.evaluation.counts import Counts
from ast_edge.evaluation.curve import CurveRecorder
from ast_edge.evaluation.detection_latency import first_detections, latencies
from ast_edge.evaluation.detector import Detection, Outcome
from ast_edge.evaluation.false_alarms import FalseAlarms, find_false_alarms
from ast_edge.evaluation.report import Heard, make_report
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.view.figures import as_tree
from ast_edge.evaluation.view.page import render_page
from ast_edge.evaluation.view.strip import cut_strips
from ast_edge.evaluation.view.table import HEADINGS, rows, silent_labels, summary
from ast_edge.model.label import Label

DOG, CAT = Label(0, "Dog", ""), Label(1, "Cat <b>", "")
PETS = Group(2, "Pets", "", (DOG, CAT), "max")


def detection(label, onset, offset, told=None):
    return Detection(label, Span(onset, offset), 0.9, offset if told is None else told)


def heard(tmp_path, seconds, references, detections, name="a.wav"):
    curve = CurveRecorder(3, np.float32)
    for number in range(round(seconds)):
        scores = np.zeros(3, np.float32)
        for one in detections:
            if one.span.onset <= number < one.span.offset:
                scores[one.label.index] = one.peak
        curve.feed(Step(number, number + 1, number + 1, scores))
    picture = np.random.default_rng(0).normal(size=(round(seconds * 20), 64)).astype(np.float16)
    ordered = tuple(sorted(detections, key=lambda one: (one.label.index, one.span)))
    outcome = Outcome(tmp_path / name, seconds, ordered, curve.finish(), picture)
    return Heard(outcome, {DOG: [], CAT: [], PETS: []} | references)


@pytest.fixture
def recordings(tmp_path):
    """Two minutes: a dog that is heard well, one that is missed, a cat for a dog, and quiet."""
    first = heard(
        tmp_path,
        60.0,
        {DOG: [Span(10, 14), Span(30, 34)], PETS: [Span(10, 14), Span(30, 34)]},
        [detection(DOG, 10, 14, told=11), detection(PETS, 10, 14), detection(CAT, 30, 34)],
    )
    quiet = heard(tmp_path, 60.0, {}, [detection(CAT, 50, 52)], name="quiet.wav")
    return [first, quiet]


@pytest.fixture
def report(recordings):
    return make_report(recordings, [DOG, CAT, PETS], compute_seconds=2.0)


def test_what_touches_no_reference_is_a_false_alarm():
    references = [Span(10, 12)]
    detected = [Span(8, 9.4), Span(8, 9.6), Span(11, 30), Span(12.6, 14)]
    assert find_false_alarms(references, detected) == [Span(8, 9.4), Span(12.6, 14)]


def test_a_rate_has_the_interval_of_its_count():
    alarms = FalseAlarms((4, 0), 2.0)
    assert alarms.per_hour == 2.0
    assert alarms.poisson == pytest.approx((1.0899 / 2, 10.2416 / 2), abs=1e-3)
    assert (FalseAlarms((), 0.0).per_hour, FalseAlarms((), 0.0).interval) == (None, None)


def test_the_interval_is_wider_where_alarms_come_in_bursts():
    spread, burst = FalseAlarms((1,) * 12, 2.0), FalseAlarms((12, *[0] * 11), 2.0)
    assert spread.poisson == burst.poisson
    assert burst.interval[1] > 1.5 * spread.interval[1]
    assert burst.interval[0] < spread.interval[0] / 2


def test_recordings_of_one_room_are_counted_together(recordings):
    apart = make_report(recordings, [DOG, CAT, PETS], 1.0).false_alarms
    together = [replace(one, room="kitchen") for one in recordings]
    joined = make_report(together, [DOG, CAT, PETS], 1.0).false_alarms
    assert (apart.counts, apart.noisy, joined.counts) == ((1, 1), 2, (2,))
    assert apart.per_hour == joined.per_hour


def test_latency_is_from_the_onset_to_the_telling():
    assert latencies([Span(10, 12)], [detection(DOG, 10.2, 12, told=11.5)]) == [1.5]


def test_an_event_over_two_sounds_tells_of_the_first_alone():
    references, told = [Span(10, 11), Span(12, 13)], [detection(DOG, 10, 13, told=10.8)]
    assert first_detections(references, told) == [told[0], told[0]]
    assert latencies(references, told) == pytest.approx([0.8])


def test_each_label_has_its_own_figures(report):
    dog, cat, pets = report.labels
    assert (dog.references, dog.found, dog.false_alarms.count) == (2, 1, 0)
    assert dog.counts["event_500ms"] == Counts(1, 0, 1)
    assert dog.counts["segment"] == Counts(4, 0, 4)
    assert (cat.references, cat.false_alarms.count, cat.latencies) == (0, 2, ())
    assert cat.false_alarms_in_negatives.count == 1
    assert pets.found == 1


def test_what_may_be_right_is_neither_right_nor_false(tmp_path, recordings):
    first, quiet = recordings
    unsure = {CAT: [Span(29, 31)], DOG: [Span(0, 60)]}
    report = make_report([replace(first, unsure=unsure), quiet], [DOG, CAT], 1.0)
    dog, cat = report.labels
    assert (dog.undecided, cat.undecided) == (0, 1)
    assert dog.counts["event_500ms"] == Counts(1, 0, 1)
    assert (cat.counts["event_500ms"], cat.counts["segment"]) == (Counts(0, 1, 0), Counts(0, 2, 0))
    assert cat.false_alarms.count == 1
    assert report.undecided == 1
    assert "1 event of sounds that may be there" in summary(report)[-1]
    assert as_tree(report)["undecided"] == 1


def test_what_is_over_all_labels_adds_up(report):
    assert report.hours == pytest.approx(1 / 30)
    assert report.negative_hours == pytest.approx(1 / 60)
    assert report.false_alarms.per_hour == pytest.approx(60)
    assert report.false_alarms_in_negatives.per_hour == pytest.approx(60)
    assert report.speed == 60.0
    assert report.micro("event_500ms") == Counts(2, 2, 2)
    assert report.macro_f1("event_500ms") == pytest.approx(2 / 3)


def test_psds_is_of_the_labels_with_references_and_leaves_groups_out(report):
    dog, cat, pets = report.labels
    assert dog.psds["psds1"] == pytest.approx(0.5, abs=0.01)
    assert (cat.psds, pets.psds) == ({}, {})
    assert report.psds == pytest.approx(dog.psds)


def test_without_references_there_is_no_psds(tmp_path):
    report = make_report([heard(tmp_path, 60.0, {}, [])], [DOG, CAT], 1.0)
    assert report.psds == {}
    assert silent_labels(report) == ["Dog", "Cat <b>"]
    doubtful = heard(tmp_path, 60.0, {}, [detection(DOG, 10, 12)])
    report = make_report([replace(doubtful, unsure={DOG: [Span(0, 60)]})], [DOG, CAT], 1.0)
    assert silent_labels(report) == ["Cat <b>"]
    assert report.false_alarms_in_negatives.interval[0] == 0


def test_the_figures_are_json(report):
    tree = json.loads(json.dumps(as_tree(report), allow_nan=False))
    assert tree["labels"]["Dog"]["event_500ms"]["recall"] == 0.5
    assert tree["labels"]["Cat <b>"]["latency"] == {"count": 0, "p50": None, "p95": None}
    assert tree["false_alarms"]["count"] == 2
    assert (tree["false_alarms"]["rooms"], tree["false_alarms"]["rooms_with_any"]) == (2, 2)
    assert tree["latency"]["p50"] == pytest.approx(2.5)


def test_the_table_has_a_line_for_each_label_and_two_for_all(report):
    found = rows(report)
    assert [row.cells[0] for row in found[:3]] == ["Dog", "Cat <b>", "Pets"]
    assert [row.is_total for row in found] == [False, False, False, True, True]
    assert {len(row.cells) for row in found} == {len(HEADINGS)}


def test_the_summary_says_how_often_it_cried_wolf(report):
    recordings, alarms, quiet = summary(report)
    assert recordings.startswith("2 recordings, 2 min in all")
    assert alarms.startswith("2 false alarms in 2 min: 60 per hour (95 %: ")
    assert "if they did not come in bursts 7.3 to 217)" in alarms
    assert alarms.endswith("2 of 2 rooms had any (100%)")
    assert quiet.startswith("1 false alarm")


def test_a_strip_says_what_became_of_every_event(recordings):
    (strip,) = cut_strips(recordings[0], [DOG, CAT, PETS])
    dog, cat, _ = strip.rows
    assert [bar.kind for bar in dog.references] == ["reference", "missed"]
    assert [bar.kind for bar in (*dog.detected, *cat.detected)] == ["right", "false"]
    assert strip.has_errors


def test_a_strip_says_where_a_sound_may_have_been(recordings):
    doubtful = replace(recordings[0], unsure={CAT: [Span(29, 31)]})
    (strip,) = cut_strips(doubtful, [DOG, CAT, PETS])
    (bar,) = strip.rows[1].detected
    assert bar.kind == "undecided"
    assert bar.title.endswith(", where it may sound")


def test_only_minutes_with_events_are_drawn(tmp_path):
    long = heard(tmp_path, 300.0, {}, [detection(DOG, 130, 131)])
    (strip,) = cut_strips(long, [DOG, CAT, PETS])
    assert strip.span == Span(120, 180)
    assert len(strip.spectrogram) == 1200


def test_the_page_needs_nothing_but_itself(report, recordings):
    page = render_page("mine & yours", report, recordings)
    assert "<title>mine &amp; yours</title>" in page
    assert "Cat &lt;b&gt;" in page
    assert "Cat <b>" not in page
    assert page.count("data:image/png;base64,") == 2
    assert not any(word in page for word in ("<script", "http://", "https://", "$"))
