import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.detection.lookout import Lookout
from ast_edge.model.label import Label

DOG, CAT, OWL = Label(0, "Dog", ""), Label(1, "Cat", ""), Label(2, "Owl", "")


def shown(lookout, *scores):
    return lookout.shown(np.array(scores, np.float32))


def test_a_label_is_shown_from_its_off_on():
    lookout = Lookout({DOG: 0.5, CAT: 0.5, OWL: 0.5})
    assert shown(lookout, 0.49, 0.5, 0.51) == [1, 2]


def test_labels_are_known_by_their_places_whatever_their_columns():
    lookout = Lookout({OWL: 0.5, DOG: 0.5})
    assert shown(lookout, 0.9, 0.9, 0.1) == [1]
    assert shown(lookout, 0.1, 0.9, 0.9) == [0]


def test_what_is_no_number_is_shown():
    assert shown(Lookout({DOG: 1.0}), np.nan) == [0]


def test_another_off_holds_from_then_on_for_its_label_alone():
    lookout = Lookout({DOG: 0.5, CAT: 0.5})
    lookout.set_off(1, 0.2)
    assert shown(lookout, 0.3, 0.3) == [1]


def test_of_no_labels_none_is_shown():
    assert shown(Lookout({}), 0.9) == []


THRESHOLDS = st.floats(0, 1)


@given(st.lists(st.tuples(THRESHOLDS, st.sampled_from([-1, 0, 1])), max_size=20))
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_a_threshold_is_compared_as_a_single_score_is(kind, pairs):
    labels = [Label(index, f"Label {index}", "") for index in range(len(pairs))]
    off = {label: threshold for label, (threshold, _) in zip(labels, pairs, strict=True)}
    scores = np.array([kind(threshold) for threshold, _ in pairs], kind)
    beside = [
        np.nextafter(s, kind(side)) if side else s
        for s, (_, side) in zip(scores, pairs, strict=True)
    ]
    found = Lookout(off).shown(np.array(beside, kind))
    assert found == [n for n, label in enumerate(labels) if not float(beside[n]) < off[label]]
