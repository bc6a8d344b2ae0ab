import numpy as np
import pytest

from ast_edge.enrolment.head import fit_head, whitening

WIDTH = 24


def rows(count, seed, towards=(), size=3.0):
    """Return embeddings (count, width) around 0, or away from it in some directions."""
    found = np.random.default_rng(seed).standard_normal((count, WIDTH)).astype(np.float32)
    found[:, list(towards)] += size
    return found


def logits(head, embeddings):
    return embeddings @ head[:-1] + head[-1]


@pytest.fixture
def other():
    return rows(300, 1)


def test_what_was_not_learnt_from_is_told_apart(other):
    head = fit_head(rows(20, 2, [0, 1]), other, whitening(other))
    assert (logits(head, rows(50, 3, [0, 1])) > 0).mean() > 0.8
    assert (logits(head, rows(50, 4)) < 0).mean() > 0.9


def test_how_much_other_sound_there_is_moves_no_score():
    sound = rows(40, 2, [0])
    few, many = (fit_head(sound, one, whitening(one)) for one in (rows(500, 1), rows(5000, 5)))
    heard = rows(200, 6, [0])
    assert logits(many, heard).mean() == pytest.approx(logits(few, heard).mean(), abs=1.5)


def test_what_is_like_the_sound_but_other_is_told_apart_when_it_was_learnt(other):
    sound, alike = rows(20, 2, [0, 1]), rows(20, 7, [0, 2])
    taught = fit_head(sound, np.concatenate([other, *[alike] * 15]), whitening(other))
    assert (logits(taught, rows(50, 8, [0, 2])) > 0).mean() < 0.1
    assert (logits(taught, rows(50, 9, [0, 1])) > 0).mean() > 0.8


def test_more_numbers_than_recordings_are_no_hindrance():
    def wide(count, seed, size=0.0):
        found = np.random.default_rng(seed).standard_normal((count, 700)).astype(np.float32)
        found[:, :30] += size
        return found

    head = fit_head(wide(10, 2, 1.5), wide(60, 1), whitening(wide(60, 1)))
    assert (logits(head, wide(50, 3, 1.5)) > logits(head, wide(50, 4)).max()).mean() > 0.9


def test_other_sound_that_is_all_alike_gives_numbers():
    still = np.ones((3, WIDTH), np.float32)
    head = fit_head(rows(2, 2, [0]), still, whitening(still))
    assert np.isfinite(head).all()
    assert (logits(head, still) < 0).all()
