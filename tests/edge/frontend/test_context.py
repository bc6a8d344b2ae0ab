import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.frontend.context import Context
from ast_edge.frontend.fbank import LOG_FLOOR

FRAMES, MELS = 7, 2


def numbered(first, count):
    """Frames whose values are their numbers from 1 on."""
    return np.repeat(np.arange(first, first + count, dtype=np.float32)[:, None], MELS, axis=1)


def expected(end):
    """The window that ends with frame number `end`."""
    rows = [float(i) if i > 0 else LOG_FLOOR for i in range(end - FRAMES + 1, end + 1)]
    return np.repeat(np.array(rows, np.float32)[:, None], MELS, axis=1)


@given(
    sizes=st.lists(st.integers(0, 20), max_size=20),
    # One that divides the window, one that does not, and one that is longer.
    hop=st.sampled_from([1, 3, 7, 9]),
)
def test_any_cutting_gives_the_same_windows(sizes, hop):
    context, found, position = Context(FRAMES, MELS, hop), [], 0
    for size in sizes:
        found += context.feed(numbered(position + 1, size))
        position += size
    found += context.flush()
    ends = [*range(hop, position + 1, hop)]
    if position % hop:
        ends.append(position)
    assert [end for end, _ in found] == ends
    for end, window in found:
        assert np.array_equal(window, expected(end))


def test_before_the_first_frame_lies_silence():
    ((end, window),) = Context(FRAMES, MELS, 3).feed(numbered(1, 3))
    assert end == 3
    assert np.all(window[:4] == np.float32(LOG_FLOOR))
    assert window[4:, 0].tolist() == [1, 2, 3]


def test_flush_gives_nothing_that_feed_has_given():
    context = Context(FRAMES, MELS, 3)
    assert [end for end, _ in context.feed(numbered(1, 6))] == [3, 6]
    assert list(context.flush()) == []


def test_flush_before_the_first_frame_gives_nothing():
    assert list(Context(FRAMES, MELS, 3).flush()) == []


def test_windows_are_not_changed_by_what_comes_later():
    context = Context(FRAMES, MELS, 3)
    (_, first), *_ = context.feed(numbered(1, 3))
    list(context.feed(numbered(4, 30)))
    assert np.array_equal(first, expected(3))


def test_a_reset_brings_silence_back_and_counts_anew():
    context = Context(FRAMES, MELS, 3)
    list(context.feed(numbered(50, 8)))
    context.reset()
    ((end, window),) = context.feed(numbered(1, 3))
    assert end == 3
    assert np.array_equal(window, expected(3))


def test_a_hop_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one frame, got 0"):
        Context(FRAMES, MELS, 0)
