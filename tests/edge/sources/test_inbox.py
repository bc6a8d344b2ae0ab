import queue
import threading

import pytest

from ast_edge.sources.inbox import Inbox

TIMEOUT = 20.0


def test_live_sound_comes_first_and_each_kind_in_its_order():
    inbox = Inbox()
    for item, live in (("r1", False), ("l1", True), ("r2", False), ("l2", True)):
        inbox.put(item, live=live)
    assert [inbox.get(0) for _ in range(4)] == ["l1", "l2", "r1", "r2"]
    assert len(inbox) == 0


def test_recordings_stay_where_they_are_while_only_live_sound_is_wanted():
    inbox = Inbox()
    inbox.put("r", live=False)
    with pytest.raises(queue.Empty):
        inbox.get(TIMEOUT, live_only=True)
    inbox.put("l", live=True)
    assert inbox.get(0, live_only=True) == "l"
    assert inbox.get(0) == "r"


def test_nothing_is_waited_for_no_longer_than_asked():
    with pytest.raises(queue.Empty):
        Inbox().get(0.0)


def test_what_several_threads_put_arrives_whole():
    inbox, count = Inbox(), 500

    def put_all(name):
        for number in range(count):
            inbox.put((name, number), live=name == "live")

    threads = [threading.Thread(target=put_all, args=(name,)) for name in ("live", "recorded")]
    for thread in threads:
        thread.start()
    got = [inbox.get(TIMEOUT) for _ in range(2 * count)]
    for thread in threads:
        thread.join()
    for name in ("live", "recorded"):
        assert [number for found, number in got if found == name] == list(range(count))
