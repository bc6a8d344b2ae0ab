import pytest

from ast_edge.evaluation.poisson import poisson_interval, poisson_limit

chi2 = pytest.importorskip("scipy.stats", reason="scipy is not installed").chi2


@pytest.mark.parametrize("count", [0, 1, 2, 7, 30, 1000, 20_000])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_interval_is_that_of_the_quantiles_of_chi_square(count, confidence):
    tail = (1 - confidence) / 2
    low = chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    high = chi2.isf(tail, 2 * count + 2) / 2
    assert poisson_interval(count, confidence) == pytest.approx((low, high), rel=1e-7)


@pytest.mark.parametrize("count", [0, 3, 50])
def test_the_limit_is_the_one_sided_quantile(count):
    assert poisson_limit(count) == pytest.approx(chi2.ppf(0.95, 2 * count + 2) / 2, rel=1e-7)


def test_what_never_happened_has_a_mean_below_three():
    assert poisson_limit(0) == pytest.approx(3.0, abs=0.005)
