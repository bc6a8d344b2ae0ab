import threading

import pytest

from ast_edge.base.mailbox import Mailbox

TIMEOUT = 10.0


@pytest.fixture
def done():
    return []


@pytest.fixture
def mailbox():
    mailbox = Mailbox("test")
    yield mailbox
    mailbox.close(lambda: None, TIMEOUT)


def run(mailbox, *more):
    """Start, and wait until the last of `more` has run."""
    ended = threading.Event()
    for action in (*more, ended.set):
        mailbox.put(action)
    mailbox.start()
    assert ended.wait(TIMEOUT)


def test_actions_run_in_order_and_in_one_other_thread(mailbox, done):
    threads = set()
    for number in range(100):
        mailbox.put(lambda n=number: (done.append(n), threads.add(threading.current_thread())))
    run(mailbox)
    assert done == list(range(100))
    assert len(threads - {threading.current_thread()}) == 1


def test_later_actions_run_in_order_of_their_time(mailbox, done):
    ended = threading.Event()
    mailbox.put_later(0.2, ended.set)
    mailbox.put_later(0.1, lambda: done.append("second"))
    mailbox.put_later(0.05, lambda: done.append("first"))
    mailbox.put_later(0.1, lambda: done.append("third"))
    mailbox.start()
    assert ended.wait(TIMEOUT)
    assert done == ["first", "second", "third"]


def test_what_is_due_is_not_kept_waiting_by_what_comes(mailbox, done):
    mailbox.put_later(0.0, lambda: done.append("due"))
    mailbox.put(lambda: done.append("put"))
    run(mailbox)
    assert done == ["due", "put"]


def test_the_last_action_is_the_last(mailbox, done):
    mailbox.put(lambda: done.append(1))
    mailbox.put_later(60.0, lambda: done.append("never"))
    mailbox.start()
    mailbox.close(lambda: done.append("last"), TIMEOUT)
    mailbox.put(lambda: done.append("never"))
    assert done == [1, "last"]
    assert not mailbox._thread.is_alive()


def test_one_that_was_never_started_closes(done):
    Mailbox("test").close(lambda: None, TIMEOUT)
