import json
import logging
import os
import re
import subprocess
import sys
import threading

import pytest

from ast_edge.base import secret_values
from ast_edge.base.log_format import (
    EVERY_TIME,
    REPEAT_SECONDS,
    JournalFormatter,
    JsonFormatter,
    PlainFormatter,
    RepeatFilter,
    SecretFilter,
)


def record(message="disk %d is full", *args, level=logging.WARNING, **more):
    logger = logging.getLogger("ast_edge.test")
    return logger.makeRecord("ast_edge.test", level, "x.py", 1, message, args, None, **more)


class Log:
    """A filter with a clock of its own, and the lines that have come through."""

    def __init__(self):
        self.lines, self.now = [], 1000.0
        self._filter = RepeatFilter(self._write, lambda: self.now)
        self.flush = self._filter.flush

    def _write(self, record):
        self.lines.append(record.getMessage())

    def say(self, *args, **more):
        line = record(*args, **more)
        if self._filter.filter(line):
            self._write(line)


@pytest.fixture
def log():
    return Log()


def test_a_message_is_written_once_and_then_how_often_it_came_again(log):
    for _ in range(38):
        log.say("disk %d is full", 1)
        log.now += 1
    assert log.lines == ["disk 1 is full"]
    log.now += REPEAT_SECONDS
    log.say("other")
    assert log.lines[1:] == ["disk 1 is full (repeated 37 times in 60 s)", "other"]


def test_a_message_that_goes_on_is_written_once_a_minute(log):
    for _ in range(600):
        log.say("full")
        log.now += 1
    repeated = "full (repeated 59 times in 60 s)"
    assert log.lines == [*["full", repeated] * 9, "full"]


@pytest.mark.parametrize(
    "other", [record("disk %d is full", 2), record("disk %d is full", 1, level=logging.ERROR)]
)
def test_a_message_that_differs_is_another_one(log, other):
    log.say("disk %d is full", 1)
    assert log._filter.filter(other)


def test_a_message_that_came_once_is_not_said_to_be_repeated(log):
    log.say("full")
    log.now += REPEAT_SECONDS + 1
    log.say("other")
    assert log.lines == ["full", "other"]


def test_at_the_end_all_repetitions_are_told(log):
    log.say("full")
    log.say("full")
    log.flush()
    log.flush()
    assert log.lines == ["full", "full (repeated once more in 60 s)"]


def test_answers_are_always_written(log):
    for _ in range(3):
        log.say("configuration reloaded", extra=EVERY_TIME)
    assert log.lines == ["configuration reloaded"] * 3


def test_no_repetition_is_lost_between_threads(log):
    threads = [
        threading.Thread(target=lambda: [log.say("full") for _ in range(500)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.flush()
    assert log.lines == ["full", "full (repeated 1999 times in 60 s)"]


def test_every_line_of_a_message_has_its_priority_for_the_journal():
    formatter = JournalFormatter(logging.Formatter("%(message)s"))
    levels = [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL]
    lines = [formatter.format(record("a\nb", level=level)) for level in levels]
    assert lines == ["<7>a\n<7>b", "<6>a\n<6>b", "<4>a\n<4>b", "<3>a\n<3>b", "<2>a\n<2>b"]


def test_a_line_of_json_holds_the_message_and_the_exception():
    try:
        raise ValueError("no\nway")
    except ValueError:
        line = logging.getLogger("ast_edge.test").makeRecord(
            "ast_edge.test", logging.ERROR, "x.py", 1, "bad: %s", ("ü",), sys.exc_info()
        )
    (text,) = JsonFormatter().format(line).splitlines()
    found = json.loads(text)
    assert (found["level"], found["logger"]) == ("error", "ast_edge.test")
    assert found["message"] == "bad: ü"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["time"])
    assert "ValueError: no\nway" in found["exception"]


SPEAK = """
import logging
from ast_edge.cli.terminal import log_to_stderr
log_to_stderr(as_json={as_json})
for _ in range(3):
    logging.getLogger("ast_edge").warning("full")
"""


def speak(as_json, journal):
    """Log in a process whose standard error is, or is not, the journal's stream."""
    read, write = os.pipe()
    found = os.fstat(write)
    stream = f"{found.st_dev}:{found.st_ino}" if journal else "1:1"
    subprocess.run(
        [sys.executable, "-c", SPEAK.format(as_json=as_json)],
        stderr=write,
        env=os.environ | {"JOURNAL_STREAM": stream},
        check=True,
        timeout=60,
    )
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as pipe:
        return pipe.read().splitlines()


def test_the_journal_gets_priorities_and_repetitions_are_told_at_exit():
    assert speak(False, journal=True) == ["<4>full", "<4>full (repeated 2 times in 60 s)"]


def test_whoever_else_reads_standard_error_gets_the_level_as_a_word():
    assert speak(False, journal=False)[0] == "WARNING full"


def test_json_is_written_when_it_is_asked_for():
    lines = [json.loads(line) for line in speak(True, journal=False)]
    assert [line["message"] for line in lines] == ["full", "full (repeated 2 times in 60 s)"]


def test_the_journal_gets_json_with_priorities():
    assert speak(True, journal=True)[0].startswith('<4>{"time":')


@pytest.fixture
def secret():
    """A value that is hidden for the length of a test, with what JSON and `repr` change."""
    secret_values.hide('hun"ter\\2\t', "!secret key")
    return 'hun"ter\\2\t'


@pytest.mark.parametrize(
    "formatter", [PlainFormatter("%(message)s"), JsonFormatter()], ids=["text", "json"]
)
def test_no_secret_stands_in_a_line_or_a_traceback(secret, formatter):
    try:
        raise ValueError(secret)
    except ValueError as exc:
        line = record("no %s, no %r, not in %s", secret, secret, {"a": secret})
        line.exc_info = (type(exc), exc, exc.__traceback__)
    SecretFilter().filter(line)
    text = formatter.format(line)
    assert "ter" not in text
    assert "no !secret key, no '!secret key', not in {'a': '!secret key'}" in text
    assert "ValueError: !secret key" in text


def test_no_secret_stands_in_the_traceback_of_a_fault_that_ends_the_program(
    secret, capsys, monkeypatch
):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    secret_values.hide_in_tracebacks()
    try:
        raise KeyError(secret)
    except KeyError as exc:
        sys.excepthook(type(exc), exc, exc.__traceback__)
    said = capsys.readouterr().err
    assert "KeyError: '!secret key'" in said
    assert "hun" not in said


def test_what_a_stranger_has_sent_moves_no_cursor_and_makes_no_second_line():
    line = PlainFormatter("%(message)s").format(record("said %s", "\x1b[2J\nERROR all is lost"))
    assert line == r"said \x1b[2J\nERROR all is lost"


def test_a_traceback_keeps_its_lines():
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        found = record("no")
        found.exc_info = sys.exc_info()
    text = PlainFormatter("%(message)s").format(found)
    assert text.count("\n") > 2
    assert "\x1b" not in text
