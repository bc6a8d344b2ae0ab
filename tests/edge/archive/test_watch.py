"""How a run gets on is shown."""

import io
import logging

from rich.console import Console

from ast_edge.archive.watch import Watch, lasting


def watch(terminal=False):
    now = [0.0]
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=160)
    return Watch(100, console, 600, lambda: now[0]), now, file


def test_a_line_tells_counts_speed_and_what_is_left():
    one, now, _ = watch()
    now[0] = 60.0
    one.heard(0, 600.0)
    one.heard(1, 900.0)
    for number in range(10):
        one.finished(b"%d" % number, events=1, failed=number == 3)
    assert one.line() == (
        "10 of 100 recordings, 15.0 min of sound, 15 times real time, 1 not heard, 0:09:00 to go"
    )


def test_a_long_recording_counts_by_its_stretches():
    one, now, _ = watch()
    now[0] = 10.0
    one.part(b"long", 0.5)
    assert one.line().endswith("0:33:10 to go")


def test_without_a_terminal_there_is_a_line_a_minute(caplog):
    caplog.set_level(logging.INFO)
    one, now, file = watch()
    with one:
        for second in range(150):
            now[0] = float(second)
            one.look()
    assert len(caplog.messages) == 2
    assert not file.getvalue()


def test_a_terminal_shows_it_all_the_time():
    one, now, file = watch(terminal=True)
    with one:
        now[0] = 1.0
        one.finished(b"a", events=0, failed=False)
        one.look()
    assert "1 of 100 recordings" in file.getvalue()


def test_lengths_are_for_people():
    assert [lasting(t) for t in (7, 90, 7200)] == ["7 s", "1.5 min", "2.0 h"]
