import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from ast_training.measure.bootstrap import interval_of, resample_aps, weighted_aps


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def noisy(rng, recordings):
    """Targets and scores of one label (recordings, 1) that go together, but not quite."""
    targets = (rng.random((recordings, 1)) < 0.3).astype(np.float32)
    return targets, (targets + rng.normal(0, 1, targets.shape)).astype(np.float32)


@pytest.mark.parametrize("decimals", [0, 6])
def test_weighted_average_precisions_are_those_of_scikit_learn_ties_included(rng, decimals):
    targets, scores = noisy(rng, 60)
    scores = scores.round(decimals)
    weights = rng.integers(0, 4, (5, 60))
    golden = [
        average_precision_score(targets[:, 0], scores[:, 0], sample_weight=row) for row in weights
    ]
    np.testing.assert_allclose(weighted_aps(targets[:, 0], scores[:, 0], weights), golden)


def test_a_label_that_was_not_drawn_has_no_average_precision():
    weights = np.array([[0, 1], [1, 0]])
    found = weighted_aps(np.array([1.0, 0.0]), np.array([0.5, 0.25]), weights)
    np.testing.assert_array_equal(found, [np.nan, 1.0])


def test_the_interval_of_many_sources_is_narrow_and_holds_the_figure(rng):
    widths = []
    for recordings in (40, 640):
        targets, scores = noisy(rng, recordings)
        sources = list(map(str, range(recordings)))
        low, high = resample_aps(targets, scores, sources).interval(0)
        assert low < average_precision_score(targets[:, 0], scores[:, 0]) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_takes_of_one_source_count_as_one(rng):
    targets, scores = noisy(rng, 40)
    sources = list(map(str, range(40)))
    many = [np.repeat(x, 16, axis=0) for x in (targets, scores)]
    alone = resample_aps(targets, scores, sources)
    together = resample_aps(*many, np.repeat(sources, 16).tolist())
    np.testing.assert_allclose(together.aps, alone.aps)
    assert together.sources == alone.sources == targets.sum()


def test_recordings_that_may_have_a_label_do_not_count_for_it():
    targets = np.array([[1.0], [0.0], [0.0]])
    scores = np.array([[0.5], [0.9], [0.1]])
    known = np.array([[True], [False], [True]])
    aps = resample_aps(targets, scores, ["a", "b", "c"], known).aps
    assert set(aps[~np.isnan(aps)]) == {1.0}


def test_a_label_of_one_source_has_no_interval():
    targets = np.array([[1.0], [1.0], [0.0], [0.0]])
    resampled = resample_aps(targets, targets, ["a", "a", "b", "c"])
    assert (resampled.sources, resampled.interval(0)) == (1, None)


def test_a_label_that_is_always_first_lies_from_one_to_one():
    targets = np.eye(2, dtype=np.float32).repeat(5, axis=0)
    resampled = resample_aps(targets, targets, list("abcdefghij"))
    assert resampled.interval(0) == resampled.macro_interval() == (1.0, 1.0)


def test_the_interval_of_the_mean_is_narrower_than_those_of_its_labels(rng):
    pairs = [noisy(rng, 200) for _ in range(6)]
    targets, scores = (np.concatenate(part, axis=1) for part in zip(*pairs, strict=True))
    resampled = resample_aps(targets, scores, list(map(str, range(200))))
    low, high = resampled.macro_interval()
    assert high - low < min(b - a for a, b in map(resampled.interval, range(6)))


def test_nothing_that_was_measured_has_no_interval():
    assert interval_of(np.array([np.nan, np.nan])) is None
