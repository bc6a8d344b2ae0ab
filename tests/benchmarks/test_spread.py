import numpy as np
from parts.spread import spread


def test_the_median_and_quartiles_are_those_of_numpy():
    values = np.random.default_rng(0).lognormal(size=10)
    low, middle, high = np.percentile(values, [25, 50, 75])
    assert spread(values.tolist(), 2) == f"{middle:.2f} ({low:.2f} to {high:.2f})"


def test_a_single_value_has_no_quartiles():
    assert spread([3.14159], 1) == "3.1"
