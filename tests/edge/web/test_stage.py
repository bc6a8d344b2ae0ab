"""What viewers are shown, and what the daemon does while there are none."""

import struct
import threading

import numpy as np
import pytest
from rigs.broker.mosquitto import wait_until
from rigs.model import RATE, silence, tone
from rigs.page import TIMEOUT, Visitor, Watcher

from ast_edge.web.stage import MOST_VIEWERS, UNDERWAY


@pytest.fixture
def watch(house, visitor):
    """Return a function that looks on; those that still do leave."""
    watchers = []

    def watch(source="hall"):
        watchers.append(Watcher(house, visitor, source))
        return watchers[-1]

    yield watch
    for watcher in watchers:
        watcher.leave()


def taps(house):
    house.act()
    return [pipeline.tap for pipeline in house.service.daemon.pipelines.values()]


def test_nothing_is_shown_to_nobody(house):
    stage, posted = house.page.server.stage, []
    stage.post = posted.append
    house.hall.pour(np.concatenate([silence(1), tone("Hum", 2), silence(2)]))
    wait_until(lambda: house.service.monitor.read().events, TIMEOUT)
    assert taps(house) == [None]
    assert posted == []


def test_the_daemon_rests_when_the_last_one_has_gone(house, watch):
    first, second = watch(), watch()
    wait_until(lambda: taps(house) != [None], TIMEOUT)
    first.leave()
    assert taps(house) != [None]
    second.leave()
    wait_until(lambda: taps(house) == [None], TIMEOUT)


def test_an_event_is_shown_as_it_begins_and_ends(house, watch):
    watcher = watch()
    house.hall.pour(np.concatenate([silence(1), tone("Hum", 2), silence(3)]))
    wait_until(lambda: len(watcher.told("event")) >= 2, TIMEOUT)
    told = [message["event"] for message in watcher.told("event")]
    assert [*[event["type"] for event in told][:1], told[-1]["type"]] == ["start", "end"]
    assert {event["label"] for event in told} == {"Hum"}


def test_columns_are_a_sound_in_its_place_and_its_band(house, watch):
    watcher = watch()
    wait_until(lambda: watcher.told("axis") and taps(house) != [None], TIMEOUT)
    begins = house.hall.pour(np.concatenate([silence(1), tone("Hiss", 1), silence(1)]))
    wait_until(lambda: sum(count(m) for m in watcher.columns) >= 70, TIMEOUT)
    loud = {}
    for message in watcher.columns:
        _, bands, columns, seconds, start = struct.unpack_from("<BBHfd", message)
        picture = np.frombuffer(message, np.uint8, offset=16).reshape(columns, bands)
        for n, column in enumerate(picture):
            loud[round(start + n * seconds - begins, 2)] = int(column.max()), int(column.argmax())
    hertz = watcher.told("axis")[0]["hertz"]
    heard = [time for time, (level, _) in loud.items() if level > 100]
    assert min(heard) == pytest.approx(1.0, abs=0.08)
    assert max(heard) == pytest.approx(2.0, abs=0.08)
    band = loud[min(heard, key=lambda t: abs(t - 1.5))][1]
    assert hertz[band] == pytest.approx(6000, rel=0.06)


def count(message):
    return struct.unpack_from("<BBH", message)[2]


def test_scores_are_those_of_the_table_of_labels(house, watch):
    watcher = watch()
    wait_until(lambda: watcher.told("labels") and taps(house) != [None], TIMEOUT)
    house.hall.pour(np.concatenate([silence(1), tone("Hiss", 2)]))
    names = [row["name"] for row in watcher.told("labels")[0]["labels"]]
    wait_until(lambda: watcher.scores, TIMEOUT)

    def highest():
        found = [np.frombuffer(m, "<u2", offset=16) / 65535 for m in list(watcher.scores)]
        return dict(zip(names, np.max(found, axis=0), strict=True))

    wait_until(lambda: highest()["Hiss"] > 0.9, TIMEOUT)
    assert highest()["Hum"] < 0.1


def test_what_is_held_back_is_told_with_the_rule(build):
    house = build(labels={"Hum": {"min_duration": 5}})
    watcher = Watcher(house, Visitor(house).log_in())
    wait_until(lambda: taps(house) != [None], TIMEOUT)
    house.hall.pour(np.concatenate([silence(1), tone("Hum", 1), silence(4)]))
    wait_until(lambda: watcher.told("held"), TIMEOUT)
    (held,) = [message["held"] for message in watcher.told("held")]
    assert (held["label"], held["why"]) == ("Hum", "duration")
    watcher.leave()


def test_a_ninth_viewer_is_told_that_there_are_eight(house, watch):
    for _ in range(MOST_VIEWERS):
        watch()
    assert watch().closed == 4008


def test_changed_settings_are_told(house, visitor, watch):
    watcher = watch()
    wait_until(lambda: watcher.told("labels"), TIMEOUT)
    answer = visitor.ask("PUT", "api/settings", {"path": "hall/set/hum/on", "value": "0.75"})
    assert answer[0] == 200
    wait_until(lambda: len(watcher.told("labels")) > 1, TIMEOUT)
    rows = {row["slug"]: row for row in watcher.told("labels")[-1]["labels"]}
    assert rows["hum"]["on"] == 0.75


def test_a_source_that_is_opened_anew_is_looked_at_again(house, watch):
    watch()
    wait_until(lambda: taps(house) != [None], TIMEOUT)
    pipeline = house.service.daemon.pipelines["hall"]
    house.service.daemon.perform(lambda: pipeline.watch(None) or [])
    wait_until(lambda: pipeline.tap is not None, TIMEOUT)


def test_a_page_whose_thread_hangs_costs_no_memory(house):
    stage, waiting = house.page.server.stage, []
    loop = stage._loop
    stage._loop = type("Hanging", (), {"call_soon_threadsafe": lambda *a: waiting.append(a)})()
    for _ in range(10 * UNDERWAY):
        stage.post(list)
    stage.open(loop)  # it was opened anew
    assert len(waiting) <= UNDERWAY + 1
    shown = threading.Event()
    stage.post(shown.set)
    assert shown.wait(TIMEOUT)


def test_a_state_says_how_long_nothing_was_heard(house, watch):
    house.hall.pour(silence(1))
    wait_until(lambda: house.service.monitor.read().sources["hall"].heard_at, TIMEOUT)
    watcher = watch()
    wait_until(lambda: watcher.told("state")[-1]["sources"]["hall"]["quiet_for"] > 2, TIMEOUT)
    house.hall.pour(silence(1))
    wait_until(lambda: watcher.told("state")[-1]["sources"]["hall"]["quiet_for"] < 2, TIMEOUT)


def test_columns_of_an_hour_of_looking_on_are_all_that_is_sent(house, watch):
    watcher = watch()
    wait_until(lambda: taps(house) != [None], TIMEOUT)
    house.hall.pour(silence(20))
    wait_until(lambda: sum(map(count, watcher.columns)) >= 495, TIMEOUT)
    sent = sum(map(len, watcher.columns))
    assert sent / 20 <= 2000, "bytes a second"
    assert 10 * sent / 20 < RATE * 2, "far less than sound"
