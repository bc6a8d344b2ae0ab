from pathlib import Path

import numpy as np
import pytest

from ast_training.data.recordings import Recording
from ast_training.soundscapes.balance import ENOUGH, by_source, shares


def recordings(*rows):
    """One for each (pack, source, labels)."""
    return [
        Recording(Path("a.wav"), pack, labels, f"{pack}:{source}", "train", "events", 0.3)
        for pack, source, labels in rows
    ]


def drawn(rows):
    found = recordings(*rows)
    return shares(found, np.ones(len(found), bool))


def test_the_takes_of_a_source_share_what_it_weighs():
    takes = [("a", "one", (0,))] * 9 + [("a", "two", (0,))]
    np.testing.assert_allclose(drawn(takes), [0.5 / 9] * 9 + [0.5])


def test_a_label_weighs_the_square_root_of_its_sources():
    rows = [("a", n, (0,)) for n in range(16)] + [("a", "x", (1,))]
    found = drawn(rows)
    assert found[:16].sum() / found[16] == pytest.approx(4)


def test_a_pack_with_very_many_sources_weighs_no_more_than_one_with_enough():
    rows = [("a", n, (0,)) for n in range(ENOUGH)] + [("b", n, (0,)) for n in range(10 * ENOUGH)]
    found = drawn(rows)
    assert found[:ENOUGH].sum() == pytest.approx(0.5)


def test_a_recording_of_two_labels_is_drawn_for_both():
    found = drawn([("a", "one", (0, 1)), ("a", "two", (0,)), ("a", "three", (1,))])
    np.testing.assert_allclose(found, [0.5, 0.25, 0.25])


def test_what_is_silent_or_has_no_label_is_not_drawn():
    found = recordings(("a", "one", (0,)), ("a", "two", (0,)), ("a", "three", ()))
    np.testing.assert_allclose(shares(found, np.array([True, False, True])), [1, 0, 0])


def test_sources_without_a_label_weigh_alike():
    found = recordings(("a", "one", ()), ("a", "one", ()), ("a", "two", ()), ("a", "three", ()))
    usable = np.array([True, True, True, False])
    np.testing.assert_allclose(by_source(found, usable), [0.25, 0.25, 0.5, 0])


def test_nothing_to_draw_weighs_nothing():
    assert shares([], np.zeros(0, bool)).tolist() == []
