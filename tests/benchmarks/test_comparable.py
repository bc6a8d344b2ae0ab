import pytest
from parts.comparable import Reach, doubts


def test_a_side_at_its_best_on_a_quiet_machine_is_comparable():
    reach = Reach("peer", needed=1.0, fastest=0.95, alone=1.9, gain=1.95)
    assert reach.share == pytest.approx(0.95)
    assert doubts(reach, 0.97, []) == []


def test_two_threads_that_bring_less_than_they_do_to_products_were_held_up():
    reach = Reach("peer", needed=1.9, fastest=1.8, alone=1.9, gain=2.0)
    assert doubts(reach, 1.0, []) == ["peer reached 50% of what it can"]


def test_runs_that_were_slower_than_the_fastest_were_held_up():
    reach = Reach("peer", needed=2.0, fastest=1.0, alone=9.0, gain=2.0)
    assert doubts(reach, 1.0, []) == ["peer reached 50% of what it can"]


def test_a_library_that_cannot_reach_the_peak_says_nothing_of_other_machines():
    reach = Reach("peer", needed=1.0, fastest=1.0, alone=2.0, gain=2.0)
    (doubt,) = doubts(reach, 0.5, [])
    assert doubt.startswith("large products of the library of peer reach 50% of the peak")


def test_each_fault_is_said_once():
    reach = Reach("peer", needed=1.0, fastest=1.0, alone=2.0, gain=2.0)
    assert doubts(reach, 1.0, ["not quiet", "not quiet"]) == ["not quiet"]
