import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.detection.lookout import FEW, Lookout
from ast_edge.model.label import Label

DOG, CAT, OWL = Label(0, "Dog", ""), Label(1, "Cat", ""), Label(2, "Owl", "")


@pytest.fixture(params=[0, FEW], ids=["few", "many"])
def look_out(request):
    """Return what looks out for labels, alone or with others that are never heard."""
    others = [Label(3 + number, f"Other {number}", "") for number in range(request.param)]

    def look_out(off):
        lookout = Lookout(off | dict.fromkeys(others, 1.0))
        silence = [0.0] * len(others)

        def shown(*scores):
            return lookout.shown(np.array([*scores, *silence], np.float32))

        return lookout, shown

    return look_out


def test_a_label_is_shown_from_its_off_on(look_out):
    _, shown = look_out({DOG: 0.5, CAT: 0.5, OWL: 0.5})
    assert shown(0.49, 0.5, 0.51) == [1, 2]


def test_labels_are_known_by_their_places_whatever_their_columns(look_out):
    _, shown = look_out({OWL: 0.5, DOG: 0.5})
    assert shown(0.9, 0.9, 0.1) == [1]
    assert shown(0.1, 0.9, 0.9) == [0]


def test_what_is_no_number_is_shown(look_out):
    _, shown = look_out({DOG: 1.0})
    assert shown(np.nan, 0, 0) == [0]


def test_another_off_holds_from_then_on_for_its_label_alone(look_out):
    lookout, shown = look_out({DOG: 0.5, CAT: 0.5})
    lookout.set_off(1, 0.2)
    assert shown(0.3, 0.3, 0) == [1]


def test_of_no_labels_none_is_shown():
    assert Lookout({}).shown(np.array([0.9], np.float32)) == []


@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([-1, 0, 1])), max_size=4 * FEW),
    st.sampled_from([np.float32, np.float16]),
)
def test_a_threshold_is_compared_in_double_precision(pairs, kind):
    labels = [Label(index, f"Label {index}", "") for index in range(len(pairs))]
    off = {label: threshold for label, (threshold, _) in zip(labels, pairs, strict=True)}
    at = np.array([threshold for threshold, _ in pairs], kind)
    to = np.array([side for _, side in pairs], kind)
    scores = np.where(to == 0, at, np.nextafter(at, to))
    found = Lookout(off).shown(scores)
    assert found == [n for n, label in enumerate(labels) if float(scores[n]) >= off[label]]
