import numpy as np
import pytest

from ast_edge.enrolment.embedder import Embedded
from ast_edge.enrolment.margin import HeadPair, alarms, draw_line, margins, raise_line
from ast_edge.enrolment.negatives import Negatives

HEADS = HeadPair(np.array([1, 0, 0.5], "f4"), np.array([0, 1, -0.5], "f4"))


def windows(count=50, steps=3):
    random = np.random.default_rng(0)
    clip, frame = random.normal(0, 3, (count, 2)), random.normal(0, 3, (count, steps, 2))
    return Embedded(clip.astype("f4"), frame.astype("f4"))


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def score(heads, embedded, gated):
    """Return the highest score of each window's steps."""
    frame = sigmoid(heads.frame_logits(embedded.frame))
    if gated:
        frame = np.sqrt(frame * sigmoid(heads.clip_logits(embedded.clip))[:, np.newaxis])
    return frame.max(axis=1)


@pytest.mark.parametrize("gated", [True, False])
def test_heads_that_are_lowered_by_the_margin_score_a_half(gated):
    embedded = windows()
    for one, margin in enumerate(margins(embedded, HEADS, gated=gated)):
        lowered = HEADS.lowered(margin)
        assert score(lowered, embedded[one : one + 1], gated) == pytest.approx(0.5, abs=1e-3)


def test_without_steps_the_window_alone_counts():
    embedded = Embedded(windows().clip, None)
    heads = HeadPair(HEADS.clip, None)
    assert margins(embedded, heads, gated=False) == pytest.approx(heads.clip_logits(embedded.clip))


def negatives(count, hours, follows=None):
    follows = np.zeros(count, np.bool_) if follows is None else np.array(follows)
    return Negatives(windows(count), np.arange(count), follows, hours, ())


def test_windows_that_overlap_are_one_alarm():
    found = np.array([0.0, 2, 2, 0, 2, 2])
    follows = [False, True, True, True, True, False]
    assert list(alarms(found, negatives(6, 1, follows), 1.0)) == [1, 4, 5]


def test_a_line_that_can_be_counted_gives_as_many_alarms_as_were_wished_for():
    found = np.random.default_rng(0).logistic(-5, 1, 4000)
    known = negatives(4000, 4.0)
    line = draw_line(found, known, wish=2.0)
    assert len(alarms(found, known, line)) == pytest.approx(8, abs=4)


def test_the_fewer_alarms_are_wished_for_the_higher_is_the_line():
    found = np.random.default_rng(0).logistic(-5, 1, 500)
    lines = [draw_line(found, negatives(500, 0.5), wish) for wish in (10, 1, 1 / 24, 1 / 168)]
    assert lines == sorted(lines)
    assert lines[-1] > found.max()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_line_can_be_drawn_through_little(count):
    assert np.isfinite(draw_line(np.arange(float(count)), negatives(count, 0.001), 1 / 24))


def test_the_line_lies_half_way_to_the_lowest_take_that_was_held_out():
    scores = [sigmoid(4.0), sigmoid(9.0)]
    assert raise_line(1.0, scores, held_out=True) == pytest.approx(1.0 + 2.0)


def test_it_is_nearer_to_other_sound_where_the_only_take_was_learnt():
    alone, held_out = (raise_line(0.0, [sigmoid(4.0)], held_out=one) for one in (False, True))
    assert 0 < alone < held_out


@pytest.mark.parametrize("lowest", [0.0, 0.2, 0.5])
def test_a_take_that_other_sound_passes_for_raises_no_line(lowest):
    assert raise_line(1.0, [lowest, 0.99], held_out=True) == 1.0


def test_a_take_that_is_surer_than_a_float_can_say_gives_a_finite_line():
    assert np.isfinite(raise_line(0.0, [1.0], held_out=True))
