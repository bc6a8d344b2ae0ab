import itertools
import logging
import re
import sys
import time
from contextlib import closing

import numpy as np
import pytest
from rigs.broker.mosquitto import wait_until
from rigs.sound.arrivals import NOW, Arrivals, crystal, truth
from rigs.sound.listener import Listener

from ast_edge.audio.health import OK, Health
from ast_edge.sources.child_source import ChildSource
from ast_edge.sources.pcm import PcmFormat

MONO = PcmFormat("s16le", 1000, 1)  # 100 ms are 200 bytes


def source(program, *, pcm=MONO, stall_timeout=3.0, **options):
    command = [sys.executable, "-c", f"import sys, time; out = sys.stdout.buffer\n{program}"]
    return ChildSource(
        "s", "the test program", command, pcm=pcm, stall_timeout=stall_timeout, **options
    )


def messages(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.INFO]


def wait_for_retries(caplog, count):
    """Wait until the source has failed so many times after its first failure."""
    deadline = time.monotonic() + 30
    while sum("still gone" in r.getMessage() for r in list(caplog.records)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


ENDLESS = "while True: out.write(bytes(200)); out.flush(); time.sleep(0.01)"


def test_the_samples_are_those_of_the_program():
    with Listener(source("out.write(bytes(range(200))); out.flush(); input()")) as listener:
        listener.wait(lambda it: it.blocks)
    expected = np.arange(200, dtype=np.uint8).view("<i2")[:, None] / np.float32(32768)
    np.testing.assert_array_equal(listener.blocks[0].samples, expected)


def test_a_first_line_of_json_can_say_the_format():
    program = """out.write(b'{"sample_rate": 500, "channels": 2}\\n' + bytes(200)); out.flush()"""
    with Listener(source(f"{program}; input()", pcm=None)) as listener:
        listener.wait(lambda it: it.blocks)
    block = listener.blocks[0]
    assert (block.stream.sample_rate, block.samples.shape) == (500, (50, 2))


def test_the_stream_starts_when_its_first_sample_was_heard():
    with Listener(source(ENDLESS, clock=lambda: 1000.0)) as listener:
        listener.wait(lambda it: it.blocks)
    stream = listener.blocks[0].stream
    assert (stream.source, stream.started_at, stream.live) == ("s", 999.9, True)


def test_an_end_becomes_a_gap_and_a_new_stream():
    running = source("out.write(bytes(500))")
    with Listener(running) as listener:
        listener.wait_for_streams(3)
    assert [b.start for b in listener.blocks[:5]] == [0, 100, 0, 100, 0]
    assert running.restarts >= 2


def test_the_first_stream_is_no_restart():
    running = source(ENDLESS)
    with Listener(running) as listener:
        listener.wait(lambda it: len(it.blocks) > 3)
    assert running.restarts == 0


def test_a_stall_becomes_a_gap_and_a_new_stream(caplog):
    with Listener(source("out.write(bytes(200)); out.flush(); input()", stall_timeout=0.3)) as it:
        it.wait_for_streams(2)
    lost, back = messages(caplog)[:2]
    assert lost == "the test program: no data for 0.3 s (opening it again)"
    assert re.fullmatch(r"the test program is back after \d+ s", back)


def test_retries_that_fail_are_logged_once(caplog):
    running = source("sys.exit('no such device')")
    with Listener(running), caplog.at_level(logging.DEBUG, "ast_edge.sources.child_source"):
        wait_for_retries(caplog, 2)
    assert messages(caplog).count("the test program: no such device (opening it again)") == 1


def test_a_program_that_is_missing_is_tried_again(caplog):
    running = ChildSource("s", "the camera", ["no-such-program"], pcm=MONO)
    with Listener(running), caplog.at_level(logging.DEBUG, "ast_edge.sources.child_source"):
        wait_for_retries(caplog, 1)
    assert "no-such-program cannot be started" in messages(caplog)[0]


@pytest.mark.parametrize("line", ["hello", "[]", "{}", '{"sample_rate": 0, "channels": 1}'])
def test_a_wrong_first_line_is_quoted(caplog, line):
    running = source(f"print('''{line}''')", pcm=None)
    with Listener(running), caplog.at_level(logging.DEBUG, "ast_edge.sources.child_source"):
        wait_for_retries(caplog, 1)
    assert f"expected sample_rate and channels as JSON, got {line}" in messages(caplog)[0]


def heard_by(arrivals):
    """A child whose sound, a sample each 100 ms, comes when it shall."""
    return source(
        "while True: out.write(bytes(2000))",
        pcm=PcmFormat("s16le", 10, 1),
        muted_seconds=0,
        clock=arrivals.wall,
        monotonic=arrivals.monotonic,
    )


def test_a_clock_that_is_set_starts_a_new_stream_of_the_same_child(caplog):
    arrivals = Arrivals(itertools.chain([*[NOW] * 4, (0.1, 86399.5)], itertools.repeat(NOW)))
    with Listener(heard_by(arrivals)) as listener:
        listener.wait_for_streams(2)
    assert listener.streams[1].started_at - listener.streams[0].started_at > 86400
    assert messages(caplog) == [
        "the test program: its time is 86399.5 s off, a lasting delay; starting a new stream"
    ]


@pytest.mark.parametrize("ppm", [-50, 200])
def test_a_crystal_that_is_off_is_one_stream_at_the_right_time(ppm, caplog):
    arrivals = Arrivals(crystal(ppm, late=lambda block: block * 7919 % 40 / 1000))
    with closing(heard_by(arrivals).blocks()) as heard:
        blocks = list(itertools.islice(heard, 18_000))
    assert len({block.stream for block in blocks}) == 1
    times = [block.when.time_at(block.start / 10) for block in blocks]
    assert all(before < after for before, after in itertools.pairwise(times))
    wrong = [time - truth(block.start / 10, ppm) for block, time in zip(blocks, times, strict=True)]
    assert max(map(abs, wrong)) < 0.05
    assert messages(caplog) == []


def test_a_lost_second_starts_a_new_stream_of_the_same_child(caplog):
    arrivals = Arrivals(itertools.chain([*[NOW] * 600, (1.1, 0.0)], itertools.repeat(NOW)))
    with closing(heard_by(arrivals).blocks()) as heard:
        first, second = dict.fromkeys(block.stream for block in itertools.islice(heard, 702))
    assert second.started_at - first.started_at == pytest.approx(60 + 1 + 10, abs=0.11)
    assert messages(caplog) == [
        "the test program: its time is 1.0 s off, a lasting delay; starting a new stream"
    ]


@pytest.mark.parametrize(
    "program", ["input()", "sys.exit(1)", ENDLESS], ids=["silent", "failing", "talking"]
)
def test_close_ends_it_in_every_state(program):
    running = source(program, stall_timeout=60)
    with Listener(running) as listener:
        running.close()
        running.close()
        listener.wait(lambda it: it.ended, timeout=5)


def test_close_before_the_start_leaves_nothing_to_run():
    running = source(ENDLESS)
    running.close()
    assert list(running.blocks()) == []


def test_a_stall_and_a_failure_to_open_are_told_apart():
    stalls = source("out.write(bytes(200)); out.flush(); input()", stall_timeout=0.3)
    assert stalls.health == OK
    with Listener(stalls):
        wait_until(lambda: stalls.health == Health("stalled", "no data for 0.3 s"))
    fails = source("sys.exit('no such device')")
    with Listener(fails):
        wait_until(lambda: fails.health == Health("waiting", "no such device"))


def test_sound_that_only_trickles_is_a_stall():
    drops = "while True: out.write(bytes(1)); out.flush(); time.sleep(0.01)"
    running = source(drops, stall_timeout=0.5)
    with Listener(running):
        wait_until(lambda: running.health == Health("stalled", "no data for 0.5 s"))


def test_after_sound_that_is_well_again_nothing_is_wrong():
    running = source("out.write(bytes(range(200))); out.flush(); sys.exit('gone')")
    with Listener(running) as listener:
        wait_until(lambda: running.health == Health("waiting", "gone"))
        listener.wait_for_streams(2)


def test_a_flood_is_drift_said_once(caplog):
    flood = source("while True: out.write(bytes(range(200))); out.flush()")
    with Listener(flood) as listener:
        wait_until(lambda: flood.health.condition == "drifting")
        listener.wait_for_streams(2)
        assert flood.health.condition == "drifting"
    assert flood.health.reason == "its sound is 10 s ahead of time: is it a recording?"
    assert messages(caplog) == [f"the test program: {flood.health.reason}"]


def test_a_wrong_rate_opens_it_again_and_is_over_when_the_rate_is_right(caplog):
    course = (0.0, time.monotonic(), 12.0)  # of the clock: from here, since then, so fast

    def clock():
        time_then, since, speed = course
        return time_then + (time.monotonic() - since) * speed

    program = (
        "n, began = 0, time.monotonic()\n"
        "while True:\n"
        "    out.write(bytes(range(200))); out.flush(); n += 1\n"
        "    time.sleep(max(0, began + n / 100 - time.monotonic()))"
    )
    running = source(program, clock=clock, monotonic=clock)
    with Listener(running) as listener:
        wait_until(lambda: running.health.condition == "drifting")
        expected = r"it delivers \d+ samples a second instead of 1000"
        assert re.fullmatch(expected, running.health.reason)
        listener.wait_for_streams(2)
        course = (clock(), time.monotonic(), 10.0)  # as fast as the source
        wait_until(lambda: running.health == OK)
    assert messages(caplog)[-1] == "the test program: all right again"


def test_digital_silence_is_muted_and_opened_again_at_growing_pauses(caplog):
    running = source(ENDLESS, muted_seconds=1.0)
    with Listener(running) as listener:
        listener.wait_for_streams(4)
        assert running.health.condition == "muted"
    lengths = [len(listener.samples(stream)) for stream in listener.streams[:3]]
    assert lengths == [900, 900, 1900]  # the block that decides is not passed on
    assert messages(caplog) == [
        "the test program: nothing but zeros for 1 s: muted or broken?",
    ]


def test_a_channel_that_is_not_there_is_waited_for():
    running = source(ENDLESS, channel=2)
    with Listener(running):
        wait_until(lambda: running.health == Health("waiting", "it has no channel 2, only 1"))


def test_older_sound_that_comes_at_once_is_left_out():
    program = "out.write(b'\\1\\0' * 3000); out.flush()\n" + ENDLESS.replace("0.01", "0.1")
    with Listener(source(program, backlog_seconds=10)) as listener:
        listener.wait(lambda it: len(it.blocks) > 3)
    assert not listener.samples(listener.streams[0]).any()


def test_what_is_all_backlog_is_no_live_sound():
    running = source("while True: out.write(bytes(range(200)))", backlog_seconds=5)
    with Listener(running) as listener:
        wait_until(lambda: running.health.condition == "waiting")
    assert running.health.reason == "its sound comes faster than time goes by: is it a recording?"
    assert not listener.blocks


def test_secrets_are_not_repeated(caplog):
    program = "sys.exit('cannot open rtsp://me:secret@cam')"
    running = source(program, secrets={"me:secret": "***"})
    with caplog.at_level(logging.DEBUG), Listener(running):
        wait_until(lambda: running.health.reason == "cannot open rtsp://***@cam")
    assert "secret" not in caplog.text
