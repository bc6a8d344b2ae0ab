import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from ast_training.measure.platt import (
    FEWEST_SOURCES,
    LEAST_SLOPE,
    Platt,
    calibration_error,
    fit_platt,
)

MANY = 10**9
"""Sources so many that targets are as good as 0 and 1."""


@pytest.fixture
def labelled():
    """Logits three times too sure, and whether the label sounds: (20000,) each."""
    rng = np.random.default_rng(0)
    truth = rng.normal(-2, 2, 20_000)
    return (3 * truth + 1).astype(np.float32), rng.uniform(size=20_000) < 1 / (1 + np.exp(-truth))


def test_it_is_the_logistic_regression_of_scikit_learn(labelled):
    logits, targets = labelled
    platt = fit_platt(logits, targets, MANY)
    golden = LogisticRegression(C=np.inf, tol=1e-10).fit(logits[:, None], targets)
    assert platt.slope == pytest.approx(golden.coef_[0, 0], abs=2e-3)
    assert platt.offset == pytest.approx(golden.intercept_[0], abs=2e-3)


def test_what_was_too_sure_is_right_as_often_as_it_says(labelled):
    logits, targets = labelled
    platt = fit_platt(logits, targets, MANY)
    before = calibration_error(Platt().probabilities(logits), targets)
    after = calibration_error(platt.probabilities(logits), targets)
    assert after < 0.01 < 0.05 < before


def test_with_few_sources_certainty_is_shifted_but_not_stretched(labelled):
    platt = fit_platt(*labelled, FEWEST_SOURCES - 1)
    assert platt.slope == 1
    assert platt.offset != 0


def test_a_label_ranked_upside_down_keeps_its_order(labelled):
    logits, targets = labelled
    assert fit_platt(-logits, targets, MANY).slope == LEAST_SLOPE


def test_without_a_positive_nothing_changes(labelled):
    logits, targets = labelled
    assert fit_platt(logits, np.zeros_like(targets), 0) == Platt()


def test_labels_that_are_told_apart_perfectly_do_not_become_certain():
    logits = np.array([-9.0, -8.0, -7.0, 7.0, 8.0, 9.0])
    platt = fit_platt(logits, logits > 0, FEWEST_SOURCES)
    assert platt.probabilities(logits).max() < 0.95


def test_the_calibration_error_is_that_of_the_reliability_curve(labelled):
    logits, targets = labelled
    probabilities = Platt().probabilities(logits)
    said, meant = calibration_curve(targets, probabilities, n_bins=15)[::-1]
    sizes = np.histogram(probabilities, bins=15, range=(0, 1))[0]
    golden = np.average(np.abs(said - meant), weights=sizes[sizes > 0])
    assert calibration_error(probabilities, targets) == pytest.approx(golden, abs=1e-9)


@pytest.mark.parametrize(("slope", "offset"), [(0, 0), (-1, 0), (np.inf, 0), (1, np.nan)])
def test_a_scaling_that_loses_the_order_is_refused(slope, offset):
    with pytest.raises(ValueError, match="expected a positive slope and a finite offset"):
        Platt(slope, offset)
