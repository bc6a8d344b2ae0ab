import queue
import threading

import numpy as np
import pytest

from ast_edge.audio import Block, Stream
from ast_edge.errors import AudioError
from ast_edge.reader import Ended, Reader

STREAM = Stream("kitchen", 16000, 1, 0.0, live=True)
BLOCK = Block(STREAM, 0, np.zeros((1600, 1), np.float32))
TIMEOUT = 20.0


class Endless:
    """Yield blocks until it is closed; then take its time."""

    name = "kitchen"

    def __init__(self):
        self.opened, self.closed, self.may_end = (threading.Event() for _ in range(3))

    def blocks(self):
        self.opened.set()
        while not self.closed.is_set():
            yield BLOCK
        assert self.may_end.wait(TIMEOUT)

    def close(self):
        self.closed.set()


class Short(Endless):
    def __init__(self, error=None):
        super().__init__()
        self._error = error

    def blocks(self):
        yield BLOCK
        if self._error:
            raise self._error


@pytest.mark.parametrize("error", [None, AudioError("gone")])
def test_the_end_of_a_source_comes_after_its_sound(error):
    inbox = queue.Queue()
    reader = Reader(Short(error), inbox)
    reader.start()
    assert inbox.get(timeout=TIMEOUT) == (reader, BLOCK)
    assert inbox.get(timeout=TIMEOUT) == (reader, Ended(error))


def test_close_ends_a_reader_whose_inbox_is_full():
    source = Endless()
    source.may_end.set()
    reader = Reader(source, queue.Queue(maxsize=1))
    reader.start()
    assert source.opened.wait(TIMEOUT)
    reader.close()
    reader.join(TIMEOUT)
    assert not any(thread.name == "source kitchen" for thread in threading.enumerate())


def test_a_source_is_opened_when_the_one_before_it_has_ended():
    before, after = Endless(), Endless()
    first = Reader(before, queue.Queue())
    second = Reader(after, queue.Queue(), before=first)
    first.start()
    assert before.opened.wait(TIMEOUT)
    first.close()
    second.start()
    assert not after.opened.is_set()
    before.may_end.set()
    assert after.opened.wait(TIMEOUT)
    after.may_end.set()
    second.close()
    second.join(TIMEOUT)
