import json
import logging
import os
import threading
from pathlib import Path

import pytest

from ast_edge.base.errors import ConfigError
from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.outputs.jsonl import JsonLinesSink

EVENT = Event(
    "a1",
    "end",
    "kitchen",
    Label(3, "Dog", "/m/0bt9lr"),
    1700000000.0,
    1700000002.0,
    0.8,
    0.9,
    "home",
)

TIMEOUT = 20.0


@pytest.fixture
def sink(tmp_path):
    sink = JsonLinesSink(tmp_path / "events.jsonl", node="attic")
    yield sink
    sink.close()


def test_a_line_can_be_read_before_the_sink_is_closed(sink, tmp_path):
    sink.publish(EVENT)
    assert json.loads((tmp_path / "events.jsonl").read_text())["label"] == "Dog"


def test_lines_are_appended_to_what_is_there(tmp_path):
    (tmp_path / "events.jsonl").write_text("{}\n")
    sink = JsonLinesSink(tmp_path / "events.jsonl", node="attic")
    sink.publish(EVENT)
    sink.publish(EVENT)
    sink.close()
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 3


def test_standard_output_is_written_and_stays_open(capfd):
    sink = JsonLinesSink(Path("/dev/stdout"), node="attic")
    sink.publish(EVENT)
    sink.close()
    print("more", flush=True)
    first, second = capfd.readouterr().out.splitlines()
    assert json.loads(first)["id"] == "a1"
    assert second == "more"


def test_a_path_that_cannot_be_opened_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot append to .*missing/e\.jsonl: No such file"):
        JsonLinesSink(tmp_path / "missing" / "e.jsonl", node="attic")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
def test_a_full_disk_is_logged_once_and_counted(caplog):
    sink = JsonLinesSink(Path("/dev/full"), node="attic")
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            sink.publish(EVENT)
    sink.close()
    assert sink.failed == 3
    assert [r.getMessage() for r in caplog.records] == [
        "jsonl: cannot write to /dev/full: No space left on device; further faults are counted"
    ]


def test_a_line_cut_off_by_a_full_disk_does_not_swallow_the_next(tmp_path):
    resource = pytest.importorskip("resource", reason="limits of file size are POSIX")
    signal = pytest.importorskip("signal")
    path = tmp_path / "events.jsonl"
    sink = JsonLinesSink(path, node="attic")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        sink.publish(EVENT)
        sink.publish(EVENT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    sink.publish(EVENT)
    sink.close()
    torn, whole = path.read_text().splitlines()
    assert len(torn) == 100
    assert json.loads(whole)["id"] == "a1"
    assert (sink.written, sink.failed) == (1, 2)


@pytest.fixture
def fifo(tmp_path, monkeypatch):
    monkeypatch.setattr("ast_edge.outputs.jsonl.PATIENCE", 0.0)
    path = tmp_path / "events"
    os.mkfifo(path)
    return path


def fill(sink):
    """Publish until there is no room."""
    while not sink.failed:
        sink.publish(EVENT)


def test_a_pipe_that_nobody_reads_is_waited_for_neither_when_opened_nor_when_full(fifo, caplog):
    sink = JsonLinesSink(fifo, node="attic")
    fill(sink)
    sink.publish(EVENT)
    sink.close()
    assert sink.failed == 2
    assert len(caplog.messages) == 1
    assert "nobody reads it; further faults are counted" in caplog.text


def test_who_comes_late_to_a_pipe_reads_whole_lines_from_the_first_to_the_newest(fifo):
    sink = JsonLinesSink(fifo, node="attic")
    fill(sink)
    with fifo.open("rb", buffering=0) as reader:
        early = reader.read(1 << 20)
        sink.publish(EVENT)
        late = reader.read(1 << 20)
    lines = (early + late).decode().splitlines()
    torn = len(early) != early.rfind(b"\n") + 1
    assert [json.loads(line)["id"] for line in lines[: sink.written - 1]] == ["a1"] * (
        sink.written - 1
    )
    assert json.loads(lines[-1])["id"] == "a1"
    assert len(lines) == sink.written + torn
    sink.close()


def test_a_reader_who_is_slow_gets_every_line(tmp_path):
    path = tmp_path / "events"
    os.mkfifo(path)
    sink = JsonLinesSink(path, node="attic")
    wanted, read = 2000, bytearray()

    def read_all():
        with path.open("rb", buffering=0) as reader:
            while read.count(b"\n") < wanted:
                read.extend(reader.read(512))

    thread = threading.Thread(target=read_all)
    thread.start()
    for _ in range(wanted):
        sink.publish(EVENT)
    thread.join(TIMEOUT)
    sink.close()
    assert (sink.written, sink.failed) == (wanted, 0)
    assert all(json.loads(line)["id"] == "a1" for line in read.splitlines())


def test_a_pipe_on_standard_output_that_nobody_reads_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("ast_edge.outputs.jsonl.PATIENCE", 0.0)
    reader, writer = os.pipe()
    before = os.dup(1)
    os.dup2(writer, 1)
    try:
        sink = JsonLinesSink(Path("/dev/stdout"), node="attic")
        fill(sink)
    finally:
        os.dup2(before, 1)
        for descriptor in (reader, writer, before):
            os.close(descriptor)
    assert sink.failed == 1
