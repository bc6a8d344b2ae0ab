from ast_edge.monitoring.histogram import Histogram


def test_a_histogram_counts_values_up_to_each_limit():
    found = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 3.0):
        found = found.add(value)
    assert found.cumulative == [2, 3, 4]
    assert found.total == 6.0
