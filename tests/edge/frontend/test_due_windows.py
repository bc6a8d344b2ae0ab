import numpy as np
import pytest

from ast_edge.audio.stream import Stream
from ast_edge.frontend.due_windows import MAX_BATCH, MAX_DUE, DueWindows
from ast_edge.frontend.listener import Window


def windows(source, count, live=True, first=1, **flags):
    stream = Stream(source, 16000, 1, 0.0, live)
    return [
        Window(stream, n - 2.0, float(n), 1.0, float(n), np.zeros((1, 1)), **flags)
        for n in range(first, first + count)
    ]


def make(*due, size=MAX_BATCH):
    found = DueWindows()
    found.took(size, 1.0)
    for some in due:
        found.put(some, droppable=False)
    return found


def never(window):
    raise AssertionError("not one that may be skipped")


def said(batch):
    return [(window.stream.source, window.end) for window in batch]


def test_recordings_fill_a_batch_in_turns():
    due = make(windows("a", 3, live=False), windows("b", 9, live=False))
    assert said(due.take(never))[:5] == [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)]
    assert said(due.take(never)) == [("b", n) for n in range(6, 10)]
    assert not due


def test_a_live_source_has_one_window_in_a_batch():
    due = make(windows("a", 3), windows("b", 1), windows("c", 3, live=False))
    assert said(due.take(never)) == [("a", 1), ("b", 1), ("c", 1), ("c", 2), ("c", 3)]
    assert said(due.take(never)) == [("a", 2)]


def test_who_was_served_waits_for_all_others():
    due = make(windows("a", 2), windows("b", 2), windows("c", 2), size=2)
    assert [said(due.take(never)) for _ in range(3)] == [
        [("a", 1), ("b", 1)],
        [("c", 1), ("a", 2)],
        [("b", 2), ("c", 2)],
    ]


@pytest.mark.parametrize(
    ("windows_taken", "seconds", "size"),
    [(8, 0.1, 8), (8, 8.0, 1), (1, 20.0, 1), (4, 1.0, 4), (1, 0.3, 3), (1, 0.0, 8)],
)
def test_a_batch_is_as_large_as_a_second_allows(windows_taken, seconds, size):
    due = make(windows("a", 20, live=False))
    due.took(windows_taken, seconds)
    assert len(due.take(never)) == size


def test_an_engine_that_takes_as_long_for_many_as_for_one_is_given_many():
    due, sizes = DueWindows(), []
    due.put(windows("a", 50, live=False), droppable=False)
    for _ in range(5):
        sizes.append(len(due.take(never)))
        due.took(sizes[-1], 0.8)
    assert sizes == [1, 2, 3, 4, 5]


def test_the_first_batch_is_one_window_as_nobody_knows_what_it_takes():
    due = DueWindows()
    due.put(windows("a", 3, live=False), droppable=False)
    assert len(due.take(never)) == 1


def test_what_need_not_be_looked_at_takes_no_room():
    quiet, loud = windows("a", 20, live=False, quiet=True), windows("a", 2, live=False, first=21)
    skipped = []
    due = make([*quiet, *loud])
    assert said(due.take(lambda window: skipped.append(window) or True)) == [("a", 21), ("a", 22)]
    assert skipped == quiet


@pytest.mark.parametrize("flag", ["quiet", "idle"])
def test_whether_a_window_may_be_skipped_is_asked_when_all_before_it_are_scored(flag):
    due = make(
        [*windows("a", 1, live=False), *windows("a", 1, live=False, first=2, **{flag: True})]
    )
    assert said(due.take(never)) == [("a", 1)]
    asked = []
    assert said(due.take(lambda window: asked.append(window.end))) == [("a", 2)]
    assert asked == [2]


def test_too_many_windows_of_a_live_source_cost_the_oldest_and_its_hop_goes_to_the_next():
    due = DueWindows()
    due.put(windows("a", MAX_DUE + 2), droppable=True)
    (first,) = due.take(never)
    assert (first.end, first.hop) == (3, 3.0)
    assert due.dropped == {"a": 2}


def test_what_is_forgotten_waits_no_more():
    due = make(windows("a", 2), windows("b", 1))
    due.forget("a")
    assert "a" not in due
    assert "b" in due
    assert said(due.take(never)) == [("b", 1)]


def test_the_windows_of_recordings_are_counted():
    assert make(windows("a", 2), windows("b", 3, live=False)).recorded == 3


def of_bundles(*due):
    """Sources whose first letter is their bundle."""
    found = DueWindows(lambda source: source[0])
    for some in due:
        found.put(some, droppable=False)
    return found


def test_a_batch_holds_the_windows_of_one_bundle():
    due = of_bundles(windows("a1", 9, live=False), windows("b1", 1), windows("a2", 1))
    assert said(due.take(never)) == [("a1", 1)]
    due.took(1, 0.1)
    assert said(due.take(never)) == [("b1", 1)]
    due.took(1, 0.1)
    assert said(due.take(never))[:3] == [("a2", 1), ("a1", 2), ("a1", 3)]


def test_a_slow_bundle_takes_no_turn_from_the_sources_of_another():
    due, taken = of_bundles(windows("slow", 5), windows("fast", 5)), []
    while due:
        (window,) = due.take(never)
        due.took(1, 1.0 if window.stream.source == "slow" else 0.1)
        taken.append(window.stream.source)
    assert taken == ["slow", *["fast"] * 5, *["slow"] * 4]


def test_a_bundle_that_had_nothing_to_do_has_saved_up_no_turns():
    due = of_bundles(windows("a", 50))
    for _ in range(40):
        due.take(never)
        due.took(1, 0.1)
    due.put(windows("b", 6), droppable=False)
    taken = []
    for _ in range(6):
        (window,) = due.take(never)
        due.took(1, 0.1)
        taken.append(window.stream.source)
    assert sorted(taken) == [*"aaabbb"]


def test_windows_of_another_bundle_may_be_skipped_before_a_batch():
    due = of_bundles(windows("a", 2, quiet=True), windows("b", 1))
    skipped = []
    assert said(due.take(lambda window: skipped.append(window) or True)) == [("b", 1)]
    assert said(skipped) == [("a", 1), ("a", 2)]


def test_of_several_bundles_the_one_that_cannot_keep_up_is_named(caplog):
    due = of_bundles(windows("b", 1), windows("a", 1))
    for _ in range(2):
        due.take(never)
        due.took(1, 0.1)
    due.put(windows("a", MAX_DUE + 1), droppable=True)
    assert "the engine of 'a' cannot keep up: 1 windows dropped so far" in caplog.text
