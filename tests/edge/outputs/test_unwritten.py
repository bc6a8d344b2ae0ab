import numpy as np

from ast_edge.outputs.clip_folder import Clip
from ast_edge.outputs.unwritten import MOST_ASKED, Unwritten


def clip(name, samples=100):
    return Clip(name, 16_000, np.zeros(samples, np.int16))


def test_a_clip_is_given_once():
    unwritten = Unwritten()
    unwritten.put("a", clip("one"))
    assert unwritten.ask("a").name == "one"
    assert unwritten.ask("a") is None


def test_of_more_than_may_be_the_oldest_is_forgotten():
    unwritten = Unwritten(most_bytes=500)
    for name in "abc":
        unwritten.put(name, clip(name))
    assert [unwritten.ask(name) is not None for name in "abc"] == [False, True, True]


def test_what_was_given_away_makes_room():
    unwritten = Unwritten(most_bytes=400)
    unwritten.put("a", clip("a"))
    unwritten.put("b", clip("b"))
    unwritten.ask("a")
    unwritten.put("c", clip("c"))
    assert unwritten.ask("b")


def test_a_clip_that_was_asked_for_before_it_came_is_not_kept():
    unwritten = Unwritten()
    unwritten.ask("a")
    assert unwritten.put("a", clip("a"))
    assert not unwritten.put("a", clip("a")), "asked for once"


def test_what_never_comes_is_not_waited_for_without_end():
    unwritten = Unwritten()
    for number in range(MOST_ASKED + 1):
        unwritten.ask(str(number))
    assert not unwritten.put("0", clip("a"))
