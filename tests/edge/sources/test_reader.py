import threading
from dataclasses import replace

import numpy as np
import pytest
from rigs.broker.mosquitto import wait_until

from ast_edge.audio.health import OK
from ast_edge.audio.stream import Block, Stream
from ast_edge.base.errors import AudioError
from ast_edge.sources.inbox import Inbox
from ast_edge.sources.reader import LIVE_BLOCKS, RECORDED_BLOCKS, Ended, Reader

STREAM = Stream("kitchen", 16000, 1, 0.0, live=True)
BLOCK = Block(STREAM, 0, np.zeros((1600, 1), np.float32))
TIMEOUT = 20.0


class Endless:
    """Yield blocks until it is closed; then take its time."""

    name = "kitchen"

    def __init__(self, block=BLOCK):
        self.opened, self.closed, self.may_end, self.ended = (threading.Event() for _ in range(4))
        self.given, self._block = 0, block

    def blocks(self):
        self.opened.set()
        try:
            while not self.closed.is_set():
                self.given += 1
                yield self._block
            assert self.may_end.wait(TIMEOUT)
        finally:
            self.ended.set()

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


@pytest.mark.parametrize("error", [None, AudioError("gone"), ZeroDivisionError()])
def test_the_end_of_a_source_comes_after_its_sound(error):
    inbox = Inbox()
    reader = Reader(Short(error), inbox)
    reader.start()
    assert inbox.get(timeout=TIMEOUT) == (reader, BLOCK)
    assert inbox.get(timeout=TIMEOUT) == (reader, Ended(error))


def test_a_source_that_heals_is_opened_again_after_a_bug_which_is_said_once(monkeypatch, caplog):
    monkeypatch.setattr("ast_edge.base.worker.PAUSE", 0.0)
    source, inbox = Short(ZeroDivisionError()), Inbox()
    source.health = OK
    reader = Reader(source, inbox)
    reader.start()
    assert [inbox.get(timeout=TIMEOUT) for _ in range(5)] == [(reader, BLOCK)] * 5
    reader.close()
    reader.join(TIMEOUT)
    assert [m.startswith("source kitchen: ZeroDivisionError") for m in caplog.messages] == [True]


@pytest.mark.parametrize(("live", "blocks"), [(True, LIVE_BLOCKS), (False, RECORDED_BLOCKS)])
def test_so_much_of_a_source_may_wait_and_no_more(live, blocks):
    source, inbox = (
        Endless(Block(replace(STREAM, live=live), 0, BLOCK.samples)),
        Inbox(),
    )
    reader = Reader(source, inbox)
    reader.start()
    for more in (0, 1):
        wait_until(lambda more=more: source.given > blocks + more)
        assert len(inbox) == blocks
        inbox.get(timeout=TIMEOUT)
        reader.make_room()
    source.may_end.set()
    reader.close()
    reader.join(TIMEOUT)


def test_a_source_does_not_wait_for_another_that_is_full():
    inbox = Inbox()
    full, other = Endless(), Short()
    readers = [Reader(full, inbox), Reader(other, inbox)]
    readers[0].start()
    wait_until(lambda: full.given > LIVE_BLOCKS)
    readers[1].start()
    wait_until(lambda: len(inbox) == LIVE_BLOCKS + 2)
    full.may_end.set()
    for reader in readers:
        reader.close()
        reader.join(TIMEOUT)


def test_close_ends_a_reader_whose_inbox_is_full_and_what_it_has_opened():
    source = Endless()
    source.may_end.set()
    reader = Reader(source, Inbox())
    reader.start()
    wait_until(lambda: source.given > LIVE_BLOCKS)
    reader.close()
    reader.join(TIMEOUT)
    assert not any(thread.name == "source kitchen" for thread in threading.enumerate())
    assert source.ended.is_set()


def test_a_source_is_opened_when_the_one_before_it_has_ended():
    before, after = Endless(), Endless()
    first = Reader(before, Inbox())
    second = Reader(after, Inbox(), before=first)
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
