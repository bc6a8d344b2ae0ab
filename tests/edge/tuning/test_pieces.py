import numpy as np
import pytest

from ast_edge.tuning.pieces import FOLDS, ROOMS, cut


def test_recordings_of_one_room_are_one_piece():
    rooms = ["kitchen", "hall", *map(str, range(ROOMS)), "kitchen"]
    pieces = cut([60.0] * len(rooms), rooms)
    assert pieces.are_rooms
    assert pieces.seconds.tolist() == [120.0] + [60.0] * (ROOMS + 1)
    found = pieces.find(np.array([0, 1, len(rooms) - 1]), np.array([50.0, 0.0, 10.0]))
    assert found.tolist() == [0, 1, 0]


def test_the_hours_of_a_few_rooms_are_cut():
    pieces = cut([36000.0, 3600.0], ["monday", "tuesday"])
    assert not pieces.are_rooms
    assert pieces.hours == pytest.approx(11.0)
    assert pieces.seconds.max() < 1100
    found = pieces.find(np.array([0, 0, 1]), np.array([0.0, 35999.0, 1.0]))
    assert found.tolist() == [0, len(pieces.numbers[0]) - 1, len(pieces.numbers[0])]


def test_folds_have_about_as_many_hours_each_and_no_room_is_in_two():
    lengths = np.random.default_rng(1).uniform(10, 60, 100)
    pieces = cut(lengths.tolist(), list(map(str, range(100))))
    sums = np.bincount(pieces.folds, weights=pieces.seconds, minlength=FOLDS)
    assert sums.max() < 1.1 * sums.min()
