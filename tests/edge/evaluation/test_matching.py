from hypothesis import given
from hypothesis import strategies as st

from ast_edge.evaluation.matching import match

EDGES = st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)))


def most_pairs(edges, references):
    """The largest number of pairs, by trying everything."""
    if not references:
        return 0
    first, *others = references
    best = most_pairs(edges, others)
    for one, there in edges:
        if one == first:
            left = {edge for edge in edges if edge[1] != there}
            best = max(best, 1 + most_pairs(left, others))
    return best


@given(EDGES)
def test_as_many_are_matched_as_can_be_and_each_once(edges):
    pairs = match(range(7), range(7), lambda one, two: (one, two) in edges)
    assert set(pairs) <= edges
    assert len({one for one, _ in pairs}) == len({two for _, two in pairs}) == len(pairs)
    assert len(pairs) == most_pairs(edges, list(range(7)))


def test_an_event_gives_way_to_one_that_has_no_other_match():
    fits = {(0, 0), (0, 1), (1, 0)}
    assert match(range(2), range(2), lambda one, two: (one, two) in fits) == [(0, 1), (1, 0)]
