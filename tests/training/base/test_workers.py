import multiprocessing
import os
from itertools import count, islice

import pytest
from rigs.work import fail, interrupt_itself, kill_itself, linear_algebra_threads, square

from ast_training.base.errors import TrainingError
from ast_training.base.workers import BATCH, map_in_processes


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(jobs):
    results = [result for result, _ in map_in_processes(square, range(50), jobs)]
    assert results == [number**2 for number in range(50)]


def test_work_is_done_in_other_processes():
    assert os.getpid() not in {pid for _, pid in map_in_processes(square, range(20), 2)}


def test_endless_items_are_taken_as_they_are_needed():
    items = count()
    assert len(list(islice(map_in_processes(square, items, 2), 3))) == 3
    assert next(items) <= 2 * 4 * 2 * BATCH


def test_every_process_computes_in_one_thread():
    assert set(map_in_processes(linear_algebra_threads, range(3), 2)) == {1}


def interrupted():
    yield from range(20)
    raise KeyboardInterrupt


def test_an_interrupt_ends_all_processes():
    with pytest.raises(KeyboardInterrupt):
        list(map_in_processes(square, interrupted(), 2))
    assert multiprocessing.active_children() == []


def test_workers_leave_an_interrupt_to_their_parent():
    assert list(map_in_processes(interrupt_itself, range(3), 2)) == [0, 1, 2]


def test_an_error_of_a_worker_arrives_as_it_is():
    with pytest.raises(TrainingError, match=r"^0 failed$"):
        list(map_in_processes(fail, range(3), 2))


def test_a_worker_that_is_killed_is_reported():
    with pytest.raises(TrainingError, match="try fewer --jobs"):
        list(map_in_processes(kill_itself, range(3), 2))
