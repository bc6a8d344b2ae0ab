from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ast_edge.detection.aggregator import EDGE_SECONDS, Aggregator
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.spec import ModelSpec

FBANK = FbankSpec()
FRAME = 0.01
REST = 0.015
"""Seconds by which the last frame of a window is longer than the shift."""


def network(frames=100, patch=8, stride=8):
    return ModelSpec(
        labels=2, frames=frames, patch=(16, patch), stride=(16, stride), frame_head=True
    )


def feed(aggregator, spec, end, scores, heard=None):
    """Feed the window that ends with frame `end` of the stream."""
    start, newest = (end - spec.frames) * FRAME, end * FRAME + REST
    return aggregator.feed(start, newest if heard is None else heard, scores)


def random_scores(spec, seed):
    return np.random.default_rng(seed).random((spec.steps, 2)).astype(np.float32)


def flat(spec, value):
    return np.full((spec.steps, 2), value, np.float32)


def by_hand(spec, ends, latency, number):
    """The score of a moment by its definition: the mean of all windows up to its release."""
    middle = (number + 0.5) * spec.stride[1]
    edge = min(EDGE_SECONDS / FRAME, spec.frames / 2)
    steps = np.arange(spec.steps) * spec.stride[1] + spec.patch[1] / 2
    total, weights = np.zeros(2), 0.0
    for seed, end in enumerate(ends):
        place = middle - (end - spec.frames)
        if 0 <= place < spec.frames:
            weight = min(1.0, max(0.5, min(place, spec.frames - place)) / edge)
            scores = random_scores(spec, seed)
            total += weight * np.array([np.interp(place, steps, scores[:, c]) for c in (0, 1)])
            weights += weight
        if (number + 1) * spec.stride[1] <= end - latency / FRAME + 1e-6:
            break
    return total / weights if weights else None


@given(
    stride=st.integers(1, 12),
    overlap=st.integers(0, 9),
    hops=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    latency=st.floats(0, 0.7),
)
def test_a_moment_scores_as_all_windows_say_that_show_it_in_time(stride, overlap, hops, latency):
    spec = network(frames=50, patch=stride + overlap, stride=stride)
    ends = np.cumsum(hops).tolist()
    due = (np.array(ends) - min(latency, 0.5) / FRAME) / stride
    beside = abs(due - due.round())
    assume(not ((beside > 1e-9) & (beside < 1e-5)).any())  # where rounding decides what is due
    aggregator = Aggregator(spec, FBANK, latency)
    found = []
    for seed, end in enumerate(ends):
        found += feed(aggregator, spec, end, random_scores(spec, seed))
    length = stride * FRAME
    assert all(moment.end - moment.start == pytest.approx(length) for moment in found)
    released = {round(moment.start / length): moment.probabilities for moment in found}
    assert len(released) == len(found)
    for number in range(max(0, int(due[-1] + 1e-6))):
        expected = by_hand(spec, ends, min(latency, 0.5), number)
        if expected is None:
            assert number not in released
        else:
            assert released.pop(number) == pytest.approx(expected, abs=1e-5)
    assert not released


@pytest.mark.parametrize("hop", [3, 10, 16, 37])
@pytest.mark.parametrize("stride", [4, 8, 10])
def test_moments_follow_one_another_from_the_first_sample_on(hop, stride):
    spec = network(stride=stride)
    aggregator = Aggregator(spec, FBANK, 0.3)
    found = []
    for end in range(hop, 400, hop):
        found += feed(aggregator, spec, end, flat(spec, 0.5))
    assert found[0].start == 0
    assert all(one.end == pytest.approx(other.start) for one, other in pairwise(found))
    assert found[-1].end > 3.0


@pytest.mark.parametrize("hop", [7, 25, 50])
def test_a_sound_lies_where_it_is_whatever_the_hop(hop):
    spec = network(stride=4, patch=4)
    aggregator = Aggregator(spec, FBANK, 0.5)
    found = []
    for end in range(hop, 500, hop):
        middles = (end - spec.frames) + np.arange(spec.steps) * 4 + 2
        sounds = (middles >= 200) & (middles < 300)
        found += feed(aggregator, spec, end, np.stack([sounds, ~sounds], 1).astype(np.float32))
    heard = [moment for moment in found if moment.probabilities[0] > 0.5]
    assert heard[0].start == pytest.approx(2.0, abs=0.04)
    assert heard[-1].end == pytest.approx(3.0, abs=0.04)
    assert len(heard) == pytest.approx(25, abs=1)


@pytest.mark.parametrize("latency", [0.0, 0.08, 0.5, 1.0])
def test_a_moment_is_released_when_the_newest_sound_is_the_latency_past_it(latency):
    spec, hop = network(), 10
    aggregator = Aggregator(spec, FBANK, latency)
    for end in range(hop, 400, hop):
        for moment in feed(aggregator, spec, end, flat(spec, 0.5)):
            behind = end * FRAME - moment.end
            assert latency - 1e-6 <= behind < latency + hop * FRAME


def test_more_latency_than_the_window_is_long_changes_nothing():
    def run(latency):
        spec = network()
        aggregator = Aggregator(spec, FBANK, latency)
        windows = [feed(aggregator, spec, end, flat(spec, 0.5)) for end in range(10, 400, 10)]
        return [[moment.start for moment in moments] for moments in windows]

    assert run(5.0) == run(1.0)


def test_what_a_window_says_of_its_edge_counts_less():
    spec = network(frames=200)
    aggregator = Aggregator(spec, FBANK, 0.8)
    feed(aggregator, spec, 200, flat(spec, 0.0))
    found = {round(m.end, 2): m for m in feed(aggregator, spec, 300, flat(spec, 1.0))}
    assert found[1.28].probabilities[0] < 0.3  # near the edge of the second window
    assert found[2.0].probabilities[0] > 0.9  # near the edge of the first


def test_a_moment_that_only_the_edge_of_a_window_shows_has_its_score():
    spec = network(frames=96)
    aggregator = Aggregator(spec, FBANK, 0.0)
    found = feed(aggregator, spec, 96, flat(spec, 0.25))
    assert found[-1].end == pytest.approx(0.96)
    assert found[-1].probabilities == pytest.approx([0.25, 0.25])


def test_flushing_releases_what_is_left_up_to_the_newest_sound():
    spec = network()
    aggregator = Aggregator(spec, FBANK, 0.5)
    found = feed(aggregator, spec, 150, flat(spec, 0.5))
    rest = aggregator.flush()
    assert found[-1].end == rest[0].start
    assert rest[-1].end == pytest.approx(1.5, abs=0.08)
    assert aggregator.flush() == []


def test_silence_after_a_recording_has_no_moments():
    spec = network()
    aggregator = Aggregator(spec, FBANK, 0.5)
    found = []
    for end in range(50, 301, 50):
        found += feed(aggregator, spec, end, flat(spec, 0.5), heard=min(end, 150) * FRAME + REST)
    assert found[-1].end == pytest.approx(1.5 + REST)
    assert aggregator.flush() == []


def test_a_stream_goes_on_after_a_flush_without_saying_anything_twice():
    spec = network()
    aggregator = Aggregator(spec, FBANK, 0.5)
    found = feed(aggregator, spec, 160, flat(spec, 0.5)) + aggregator.flush()
    found += feed(aggregator, spec, 240, flat(spec, 0.5)) + aggregator.flush()
    starts = [moment.start for moment in found]
    assert starts == sorted(set(starts))
    assert found[-1].end > 2.3


def test_after_a_reset_it_is_as_new():
    spec = network()
    used, new = Aggregator(spec, FBANK, 0.3), Aggregator(spec, FBANK, 0.3)
    feed(used, spec, 1000, random_scores(spec, 1))
    used.reset()
    for end in (20, 70, 130):
        pairs = zip(
            feed(used, spec, end, random_scores(spec, end)),
            feed(new, spec, end, random_scores(spec, end)),
            strict=True,
        )
        for one, other in pairs:
            assert (one.start, one.end) == (other.start, other.end)
            assert np.array_equal(one.probabilities, other.probabilities)


def test_memory_is_bounded_by_the_window():
    spec = network()
    aggregator = Aggregator(spec, FBANK, 10.0)
    for end in range(10, 3000, 10):
        feed(aggregator, spec, end, flat(spec, 0.5))
        assert len(aggregator._weights) <= spec.steps + 2
