import logging
import queue
import threading

import pytest

from ast_edge.base.worker import Worker, workers

TIMEOUT = 10.0


@pytest.fixture
def desk():
    """What is put here is done by the worker under test; None ends it."""
    return queue.SimpleQueue()


def work(desk, pieces, **options):
    """Let a worker call these, one after the other, until there are no more."""
    for piece in [*pieces, None]:
        desk.put(piece)
    worker = Worker("desk", desk.get, lambda piece: piece(), **options)
    worker.start()
    worker.join(TIMEOUT)
    assert not worker.is_alive()


def fail():
    raise ValueError("not a number")


@pytest.mark.parametrize("fault", [ValueError("x"), SystemExit(1), MemoryError()])
def test_work_goes_on_after_any_fault(desk, fault):
    done = []

    def raise_it():
        raise fault

    work(desk, [raise_it, lambda: done.append(1), raise_it, lambda: done.append(2)])
    assert done == [1, 2]


def test_a_fault_is_logged_once_with_its_traceback_and_another_as_well(desk, caplog):
    work(desk, [fail, fail, lambda: [][0], fail])
    assert [record.exc_info[0] for record in caplog.records] == [ValueError, IndexError]
    assert caplog.messages[0].startswith("desk: ValueError: not a number")
    assert caplog.records[0].levelno == logging.ERROR


def test_every_fault_lets_the_part_be_brought_back(desk):
    brought_back = []
    work(desk, [fail, fail], on_fault=lambda: brought_back.append(1))
    assert brought_back == [1, 1]


def test_work_goes_on_when_the_part_cannot_be_brought_back(desk, caplog):
    done = []
    work(desk, [fail, lambda: done.append(1)], on_fault=lambda: 1 / 0)
    assert done == [1]
    assert [record.exc_info[0] for record in caplog.records] == [ValueError, ZeroDivisionError]


def test_work_goes_on_when_waiting_for_it_has_failed(desk, monkeypatch):
    monkeypatch.setattr("ast_edge.base.worker.PAUSE", 0.0)
    done = []
    turns = iter([OSError("no descriptors"), lambda: done.append(1), None])

    def take():
        if isinstance(turn := next(turns), OSError):
            raise turn
        return turn

    worker = Worker("desk", take, lambda piece: piece())
    worker.start()
    worker.join(TIMEOUT)
    assert done == [1]


def test_it_is_busy_while_it_works_and_not_while_it_waits(desk):
    begun, go_on, after = threading.Event(), threading.Event(), threading.Event()
    worker = Worker("desk", desk.get, lambda piece: piece())
    worker.start()
    assert worker.busy == 0
    desk.put(lambda: (begun.set(), go_on.wait(TIMEOUT)))
    assert begun.wait(TIMEOUT)
    assert worker.busy > 0
    assert worker in workers()
    go_on.set()
    desk.put(lambda: after.set() if worker.busy else None)  # since this piece, not the one before
    assert after.wait(TIMEOUT)
    desk.put(None)
    worker.join(TIMEOUT)
    assert worker.busy == 0
    assert worker not in workers()


def test_a_long_piece_that_says_it_goes_on_is_not_busy_for_long(desk):
    seen, on, done = [], threading.Event(), threading.Event()

    def long():
        worker._since -= 1000
        seen.append(worker.busy)
        worker.alive()
        on.set()
        done.wait(TIMEOUT)

    desk.put(long)
    worker = Worker("desk", desk.get, lambda piece: piece())
    worker.start()
    assert on.wait(TIMEOUT)
    assert seen[0] >= 1000
    assert worker.busy < 1000
    done.set()
    desk.put(None)
    worker.join(TIMEOUT)
