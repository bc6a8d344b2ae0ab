import json
import logging
from pathlib import Path

import pytest

from ast_edge.errors import ConfigError
from ast_edge.events import Event, Label
from ast_edge.jsonl import JsonLinesSink

EVENT = Event(
    "a1", "end", "kitchen", Label(3, "Dog", "/m/0bt9lr"), 1700000000.0, 1700000002.0, 0.8, 0.9
)


@pytest.fixture
def sink(tmp_path):
    sink = JsonLinesSink(tmp_path / "events.jsonl", node="attic", bundle="home")
    yield sink
    sink.close()


def test_a_line_can_be_read_before_the_sink_is_closed(sink, tmp_path):
    sink.publish(EVENT)
    assert json.loads((tmp_path / "events.jsonl").read_text())["label"] == "Dog"


def test_lines_are_appended_to_what_is_there(tmp_path):
    (tmp_path / "events.jsonl").write_text("{}\n")
    sink = JsonLinesSink(tmp_path / "events.jsonl", node="attic", bundle="home")
    sink.publish(EVENT)
    sink.publish(EVENT)
    sink.close()
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 3


def test_standard_output_is_written_and_stays_open(capfd):
    sink = JsonLinesSink(Path("/dev/stdout"), node="attic", bundle="home")
    sink.publish(EVENT)
    sink.close()
    print("more", flush=True)
    first, second = capfd.readouterr().out.splitlines()
    assert json.loads(first)["id"] == "a1"
    assert second == "more"


def test_a_path_that_cannot_be_opened_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot append to .*missing/e\.jsonl: No such file"):
        JsonLinesSink(tmp_path / "missing" / "e.jsonl", node="attic", bundle="home")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
def test_a_full_disk_is_logged_once_and_counted(caplog):
    sink = JsonLinesSink(Path("/dev/full"), node="attic", bundle="home")
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
    sink = JsonLinesSink(path, node="attic", bundle="home")
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
