import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from rigs.broker.outbox import MAX_AGE, event, put, waiting

from ast_edge.mqtt import outbox as outbox_module
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.outbox import Outbox, open_outbox


@pytest.fixture(params=["file", "memory"])
def box(request, box_path, open_box):
    return open_box(box_path if request.param == "file" else None)


def test_events_wait_in_order_until_they_are_removed(box):
    for number in range(3):
        put(box, event(id=f"e{number}"))
    first, second, third = box.after(0, 10)
    assert box.remove(second.number)
    assert [e.number for e in box.after(0, 10)] == [first.number, third.number]
    assert len(box) == 2


def test_only_so_many_are_returned_after_one(box):
    for number in range(5):
        put(box, event(id=f"e{number}"))
    first = box.after(0, 1)[0].number
    payloads = [json.loads(entry.payload) for entry in box.after(first, 2)]
    assert [payload["id"] for payload in payloads] == ["e1", "e2"]


def test_all_that_waits_is_told_in_order(box, monkeypatch):
    monkeypatch.setattr(outbox_module, "BATCH", 2)
    for number in range(5):
        put(box, event(id=f"e{number}"))
    assert [entry.payload for entry in box.waiting()] == [e.payload for e in box.after(0, 10)]


def test_one_that_was_removed_is_not_there_twice(box):
    put(box, event())
    (entry,) = box.after(0, 1)
    assert [box.remove(entry.number), box.remove(entry.number)] == [True, False]


def test_a_number_is_never_given_again_to_another_event(box):
    put(box, event())
    (entry,) = box.after(0, 1)
    box.remove(entry.number)
    put(box, event(id="f"))
    assert box.after(entry.number, 1)


def test_the_oldest_are_dropped_and_counted_when_too_many_wait(open_box, box_path, caplog):
    box = open_box(box_path, max_events=3)
    for number in range(5):
        put(box, event(id=f"e{number}"))
    assert [id for id, _ in waiting(box)] == ["e2", "e3", "e4"]
    assert box.dropped == 2
    assert "more than 3 events wait: 1 of the oldest dropped so far" in caplog.text


def test_what_is_too_old_is_dropped_and_counted(open_box, box_path, caplog):
    now = [1000.0]
    box = open_box(box_path, wall=lambda: now[0], steady=lambda: now[0])
    put(box, event(id="old"))
    now[0] += 10
    put(box, event(id="new"))
    now[0] += MAX_AGE - 5
    assert [id for id, _ in waiting(box)] == ["new"]
    assert box.expired == 1
    assert "1 events dropped so far that were older than 3600 s" in caplog.text


@pytest.mark.parametrize("jump", [-(10**6), 10**6])
def test_an_age_does_not_change_when_the_clock_is_set(jump, open_box, box_path):
    wall, steady = [1e9], [50.0]
    box = open_box(box_path, wall=lambda: wall[0], steady=lambda: steady[0])
    put(box, event())
    wall[0] += 7 + jump
    steady[0] += 7
    put(box, event())
    assert [entry.age for entry in box.after(0, 2)] == [7.0, 0.0]


@pytest.mark.parametrize("jump", [-(10**6), 10**6])
@pytest.mark.parametrize("reading", range(4))
def test_a_clock_that_is_set_while_an_event_is_put_takes_none(jump, reading, open_box, box_path):
    """Whichever reading of the clock is the first with the new time."""
    walls = iter([1e9] * (3 + reading) + [1e9 + jump] * 100)
    box = open_box(box_path, wall=lambda: next(walls), steady=lambda: 50.0)
    put(box, event(id="before"))
    put(box, event(id="meanwhile"))
    assert [entry.age for entry in box.after(0, 2)] == [0.0, 0.0]


def test_a_clock_that_was_set_back_between_two_runs_makes_no_negative_age(open_box, box_path):
    box = open_box(box_path, wall=lambda: 1000.0)
    put(box, event("end"))
    box.close()
    box = open_box(box_path, wall=lambda: 500.0)
    assert [entry.age for entry in box.after(0, 1)] == [0.0]


def test_a_closed_outbox_gives_its_events_to_the_next(open_box):
    box = open_box()
    put(box, event("start"))
    put(box, event("end"))
    box.close()
    assert waiting(open_box()) == [("e", "start"), ("e", "end")]


def test_a_killed_process_leaves_every_event_that_it_has_put(open_box, box_path):
    program = f"""
import sys
from pathlib import Path
from ast_edge.detection.event import Event, Label
from ast_edge.mqtt.outbox import Outbox
box = Outbox(Path({str(box_path)!r}), max_age=1000, max_events=10**6)
n = 0
while True:
    box.put(Event(str(n), "end", "mic", Label(0, "Dog", ""), 0, 0, 1, 1, "home"), "t", '{{"id": %d, "type": "end"}}' % n)
    print(n, flush=True)
    n += 1
"""  # noqa: E501
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        said = [int(child.stdout.readline()) for _ in range(200)]
        os.kill(child.pid, signal.SIGKILL)
        said += [int(line) for line in child.stdout.read().split()]
    found = [id for id, _ in waiting(open_box())]
    assert found[: len(said)] == said
    assert len(found) - len(said) in (0, 1)  # it may have been killed before it said so


def test_an_event_that_was_running_is_ended_by_the_next_process(open_box, box_path):
    box = open_box()
    put(box, event("start", "over"))
    put(box, event("end", "over"))
    put(box, event("start", "running", 1.0))
    put(box, event("update", "running", 6.0))
    box.close()
    box = open_box()
    assert waiting(box)[-1] == ("running", "end")
    assert len(box) == 5
    end = json.loads(box.after(0, 10)[-1].payload)
    assert (end["duration"], end["late"]) == (6.0, True)


def test_an_interrupted_event_is_ended_once(open_box):
    box = open_box()
    put(box, event("start"))
    box.close()
    open_box().close()
    assert waiting(open_box()) == [("e", "start"), ("e", "end")]


def test_the_outbox_of_a_node_is_in_the_state_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    open_outbox(MqttConfig(), "attic").close()
    assert [p.name for p in tmp_path.iterdir()] == ["outbox-attic.sqlite"]


@pytest.mark.parametrize("options", [{"outbox": False}, {"embedded": True}], ids=str)
def test_nothing_is_written_by_option_and_for_the_embedded_broker(options, tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    box = open_outbox(MqttConfig.model_validate(options), "attic")
    put(box, event())
    box.close()
    assert list(tmp_path.iterdir()) == []


class AgainstAList(RuleBasedStateMachine):
    """An outbox does what a list does, and a crash takes nothing from it."""

    MAX_EVENTS = 5

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.lives = 0
        self.now, self.offset = 1000.0, 0.0
        self.model = []  # (message id, time put)
        self.running = {}
        self.open()

    def open(self):
        self.box = Outbox(
            self.folder / str(self.lives) / "box",
            max_age=100.0,
            max_events=self.MAX_EVENTS,
            wall=lambda: self.now + self.offset,
            steady=lambda: self.now,
        )

    def teardown(self):
        self.box.close()
        shutil.rmtree(self.folder)

    def add(self, event):
        message = f"{event.id}-{event.phase}-{round(event.duration * 1000)}"
        self.model.append((message, self.now))

    @rule(id=st.integers(0, 3), phase=st.sampled_from(["start", "update", "end"]))
    def put(self, id, phase):
        new = event(phase, f"e{id}", duration=self.now - 1000.0)
        put(self.box, new)
        self.add(new)
        self.model = self.model[-self.MAX_EVENTS :]
        self.running.pop(new.id, None) if phase == "end" else self.running.update({new.id: new})

    @rule(count=st.integers(1, 3))
    def remove_the_oldest(self, count):
        for entry in self.box.after(0, count):
            assert self.box.remove(entry.number)
            del self.model[0]

    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds):
        self.now += seconds

    # Drawn without a filter: too many draws that it refuses are an error of Hypothesis, by chance.
    @rule(seconds=st.integers(11, 10**6), back=st.booleans())
    def set_the_clock(self, seconds, back):
        self.offset += -seconds if back else seconds

    @rule()
    def crash(self):
        """Go on with the files as they are now: what a process leaves that is killed."""
        before, self.lives = self.folder / str(self.lives), self.lives + 1
        shutil.copytree(before, self.folder / str(self.lives))
        self.box.close()
        self.open()
        for last in self.running.values():
            self.add(replace(last, phase="end"))
        self.running.clear()

    @invariant()
    def the_same_events_wait_in_the_same_order(self):
        found = [json.loads(entry.payload)["message"] for entry in self.box.after(0, 1000)]
        self.model = [(m, put_at) for m, put_at in self.model if put_at >= self.now - 100.0]
        assert found == [message for message, _ in self.model]
        assert len(self.box) == len(found)


AgainstAList.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestAgainstAList = AgainstAList.TestCase
