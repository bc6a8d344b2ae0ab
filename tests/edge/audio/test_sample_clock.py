import itertools
import random

import pytest
from rigs.sound.arrivals import Arrivals, crystal, truth

from ast_edge.audio.sample_clock import STEEPEST, SampleClock

RATE, START = 16000, 1000.0
HOURS = 2


def run(clock, errors_per_second):
    """Feed one arrival per second of sound with the given lateness; tell when time was lost."""
    return [
        clock.feed(RATE, START + second + error) is None
        for second, error in enumerate(errors_per_second, start=1)
    ]


def follow(arrivals, blocks):
    """Return the anchors of so many blocks of 100 ms; None is a lost time."""
    clock, arrivals, found = None, Arrivals(arrivals), []
    for _ in range(blocks):
        asked = arrivals.monotonic()
        waited = arrivals.monotonic() - asked
        clock = clock or SampleClock(RATE, arrivals.wall() - 0.1)
        found.append(clock.feed(RATE // 10, arrivals.wall(), was_waited_for=waited > 0.05))
    return found


def errors(anchors, ppm, after=0):
    """Return by how much the time of each block's first sample is wrong."""
    seconds = [block / 10 for block in range(len(anchors))]
    pairs = list(zip(anchors, seconds, strict=True))[after * 10 :]
    return [anchor.time_at(second) - truth(second, ppm) for anchor, second in pairs]


def test_a_good_clock_is_never_lost():
    assert not any(run(SampleClock(RATE, START), [0.45, -0.45] * 50))


@pytest.mark.parametrize("error", [1.0, 1.5, -1.5, 86400])
def test_a_lasting_error_is_noticed_after_ten_seconds_of_sound(error):
    assert run(SampleClock(RATE, START), [0, *[error] * 11]) == [False] * 11 + [True]


def test_sound_that_was_only_held_up_is_on_time_again():
    assert not any(run(SampleClock(RATE, START), [*[3.0] * 9, 0.1] * 5))


def test_the_error_is_positive_when_sound_comes_late():
    clock = SampleClock(RATE, START)
    clock.feed(RATE, START + 3)
    assert clock.error == pytest.approx(2)
    assert clock.complaint == "its time is 2.0 s off, a lasting delay"


def test_where_sound_flows_a_larger_error_is_noticed_soon():
    clock = SampleClock(RATE, START, flowing=(1.0, 2.0))
    assert run(clock, [0.0, 3.0, 3.0, 3.0]) == [False, False, False, True]


def test_what_comes_at_once_has_waited_and_tells_nothing():
    clock = SampleClock(RATE, START, flowing=(1.0, 2.0))
    assert run(clock, [3.0] * 2) == [False, False]
    clock.feed(RATE, START + 3, was_waited_for=False)
    assert run(clock, [4.0, 4.0, 4.0]) == [False, False, True]


@pytest.mark.parametrize("ppm", [50, -50, 200, -200, 1000, -1000])
def test_a_crystal_that_is_off_is_followed_for_hours_and_no_time_is_lost(ppm):
    anchors = follow(crystal(ppm), HOURS * 36_000)
    assert None not in anchors
    assert max(map(abs, errors(anchors, ppm))) < 0.05


@pytest.mark.parametrize("ppm", [200, -200])
def test_time_goes_on_evenly_while_a_crystal_is_followed(ppm):
    anchors = follow(crystal(ppm), 36_000)
    times = [anchor.time_at(block / 10) for block, anchor in enumerate(anchors)]
    steps = [after - before for before, after in itertools.pairwise(times)]
    assert min(steps) > 0.1 * (1 - STEEPEST) - 1e-6
    assert max(steps) < 0.1 * (1 + STEEPEST) + 1e-6


@pytest.mark.parametrize("ppm", [0, 200])
def test_that_blocks_come_late_moves_no_times(ppm):
    rng = random.Random(0)

    def late(block):
        if block % 3000 in range(2000, 2030):  # for three seconds nothing comes
            return (2030 - block % 3000) * 0.1
        return 0.001 + min(rng.expovariate(1 / 0.03), 0.3)

    anchors = follow(crystal(ppm, late), 36_000)
    assert None not in anchors
    assert max(map(abs, errors(anchors, ppm, after=300))) < 0.02


def test_sound_that_comes_in_pieces_of_seconds_is_followed():
    piece = [(6.0 * 1.0002, 0.0), *[(0.0, 0.0)] * 59]
    anchors = follow(itertools.cycle(piece), 36_000)
    assert None not in anchors
    # When a piece came, its first 100 ms had waited for the rest of it.
    found = errors(anchors, 200, after=600)
    assert max(found) - min(found) < 0.05


@pytest.mark.parametrize("lost", [1.0, 30.0, 3600.0])
@pytest.mark.parametrize("ppm", [0, 200, -200])
def test_lost_sound_loses_the_time_within_ten_seconds_of_sound(ppm, lost):
    arrivals = itertools.chain(
        itertools.islice(crystal(ppm), 36_000), [(0.1 + lost, 0.0)], crystal(ppm)
    )
    anchors = follow(arrivals, 36_102)
    assert anchors.index(None) == 36_100


@pytest.mark.parametrize("set_by", [0.4, -0.4])
def test_what_is_less_than_a_hop_is_made_up_for_without_a_gap(set_by):
    arrivals = itertools.chain([(0.1, 0.0)] * 600, [(0.1, set_by)], itertools.repeat((0.1, 0.0)))
    anchors = follow(arrivals, 3600)
    assert None not in anchors
    assert anchors[-1].time_at(359.9) - truth(359.9, 0) == pytest.approx(set_by, abs=0.01)


@pytest.mark.parametrize("set_by", [3600.0, -3600.0, 0.6])
def test_a_clock_that_is_set_is_taken_for_no_drift(set_by):
    anchors = follow([(0.1, 0.0)] * 150 + [(0.1, set_by)] + [(0.1, 0.0)] * 100, 251)
    assert anchors[-1] is None
    assert max(map(abs, errors(anchors[:-1], 0))) < 1e-6
