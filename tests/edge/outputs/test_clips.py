import itertools
import json
import logging
import subprocess
import sys
import threading
from datetime import datetime

import numpy as np
import pytest
import soundfile
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ast_edge.audio.stream import Block, Stream
from ast_edge.base.errors import ConfigError
from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.outputs.clips import QUEUE, Clips, check_clips
from ast_edge.outputs.config import ClipsConfig

RATE, START = 16_000, 1_700_000_000.0
DOG = Label(0, "Dog bark", "/m/0bt9lr")
RAMP = (np.arange(40 * RATE) % 30_000).astype(np.int16)
"""40 s in which every stretch longer than a second is like no other near it."""


def stream(started_at=START):
    return Stream("kitchen", RATE, 1, started_at, live=True)


def sound(of, start, stop, cuts=()):
    """Blocks of the ramp; times in samples."""
    edges = [start, *sorted(c for c in cuts if start < c < stop), stop]
    for a, b in itertools.pairwise(edges):
        yield Block(of, a, (RAMP[a:b] / np.float32(32768)).astype(np.float32)[:, None])


def event(phase, onset, offset, number=1, label=DOG):
    return Event(
        f"{number:032x}", phase, "kitchen", label, START + onset, START + offset, 0.9, 0.9, "home"
    )


@pytest.fixture
def open_clips(tmp_path):
    opened = []

    def open_clips(**options):
        defaults = {"pre_roll": 2, "post_roll": 1, "max_length": 10, "min_free_bytes": 0}
        config = ClipsConfig(folder=tmp_path / "clips", **defaults | options)
        opened.append(Clips(config, {}))
        return opened[-1]

    yield open_clips
    for clips in opened:
        clips.close()


def written(clips):
    clips.close()
    return [
        soundfile.read(path, dtype="int16")[0]
        for path in sorted(clips._config.folder.glob("*.flac"))
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    cuts=st.lists(st.integers(1, 20 * RATE), max_size=20),
    onset=st.integers(0, 1200),
    told=st.integers(0, 200),
)
def test_a_clip_is_pre_roll_sound_and_post_roll_to_the_sample(tmp_path_factory, cuts, onset, told):
    config = ClipsConfig(folder=tmp_path_factory.mktemp("c"), pre_roll=2, min_free_bytes=0)
    clips, kitchen = Clips(config, {}), stream()
    first, over = onset / 100, onset / 100 + 3
    start_told, end_told = round((first + told / 100) * RATE), round((over + 1) * RATE)
    for block in sound(kitchen, 0, start_told, cuts):
        clips.heard(block)
    clips.publish(event("start", first, first))
    for block in sound(kitchen, start_told, max(start_told, end_told), cuts):
        clips.heard(block)
    clips.publish(event("end", first, over))
    for block in sound(kitchen, max(start_told, end_told), 20 * RATE, cuts):
        clips.heard(block)
    (samples,) = written(clips)
    begin = max(0, onset * 160 - 2 * RATE)
    assert np.array_equal(samples, RAMP[begin : onset * 160 + 3 * RATE + RATE])


def test_the_name_has_the_id_of_the_event(open_clips):
    clips = open_clips()
    for block in sound(stream(), 0, 5 * RATE):
        clips.heard(block)
    clips.publish(event("start", 2, 2, number=0xABC))
    clips.publish(event("end", 2, 3, number=0xABC))
    clips.close()
    (path,) = clips._config.folder.iterdir()
    assert path.name == f"kitchen_dog_bark_20231114T221322Z_{0xABC:032x}.flac"


def test_a_clip_ends_at_the_longest_while_its_event_goes_on(open_clips):
    clips, kitchen = open_clips(max_length=10), stream()
    for block in sound(kitchen, 0, 5 * RATE):
        clips.heard(block)
    clips.publish(event("start", 4, 4))
    for block in sound(kitchen, 5 * RATE, 30 * RATE, range(0, 40 * RATE, 1600)):
        clips.heard(block)
    clips.publish(event("end", 4, 29))
    (samples,) = written(clips)
    assert np.array_equal(samples, RAMP[2 * RATE : 12 * RATE])


def test_memory_holds_what_may_still_be_asked_for_and_no_more(open_clips):
    clips, kitchen = open_clips(pre_roll=2), stream()
    for start in range(0, 4000 * 1600, 1600):
        clips.heard(Block(kitchen, start, np.zeros((1600, 1), np.float32)))
    (tape,) = clips._tapes["kitchen"]
    assert len(tape.cut(0, tape.end)) <= (15 + 2) * RATE + 1600


def test_a_gap_ends_a_clip_and_the_next_stream_has_its_own(open_clips):
    clips, first, second = open_clips(), stream(), stream(START + 20)
    for block in sound(first, 0, 5 * RATE):
        clips.heard(block)
    clips.publish(event("start", 4, 4, number=1))
    clips.heard(next(sound(second, 0, 2 * RATE)))
    clips.publish(event("end", 4, 5, number=1))
    clips.publish(event("start", 21, 21, number=2))
    clips.heard(next(sound(second, 2 * RATE, 6 * RATE)))
    clips.publish(event("end", 21, 22, number=2))
    one, two = written(clips)
    assert np.array_equal(one, RAMP[2 * RATE : 5 * RATE])
    assert np.array_equal(two, RAMP[: 3 * RATE])


def test_an_event_of_a_stream_that_is_over_has_its_sound_too(open_clips):
    clips, first, second = open_clips(), stream(), stream(START + 20)
    clips.heard(next(sound(first, 0, 5 * RATE)))
    clips.heard(next(sound(second, 0, RATE)))
    clips.publish(event("start", 3, 3))
    clips.publish(event("end", 3, 4))
    (samples,) = written(clips)
    assert np.array_equal(samples, RAMP[RATE : 5 * RATE])


@pytest.mark.parametrize("last_word", ["silent", "ended"])
def test_post_roll_that_will_not_come_is_not_waited_for(open_clips, last_word):
    clips = open_clips()
    clips.heard(next(sound(stream(), 0, 5 * RATE)))
    clips.publish(event("start", 4, 4))
    clips.publish(event("end", 4, 4.5))
    assert clips._recordings
    clips.silent("kitchen") if last_word == "silent" else clips.ended("kitchen", None)
    assert not clips._recordings


def test_closing_keeps_what_has_been_heard(open_clips):
    clips = open_clips()
    clips.heard(next(sound(stream(), 0, 5 * RATE)))
    clips.publish(event("start", 4, 4))
    (samples,) = written(clips)
    assert np.array_equal(samples, RAMP[2 * RATE : 5 * RATE])


def test_other_labels_leave_nothing(open_clips):
    clips = open_clips(labels=["dog_bark"])
    clips.heard(next(sound(stream(), 0, 5 * RATE)))
    for number, label in enumerate([DOG, Label(1, "Speech", "")]):
        clips.publish(event("start", 1, 1, number=number, label=label))
        clips.publish(event("end", 1, 2, number=number, label=label))
    clips.close()
    (path,) = clips._config.folder.iterdir()
    assert "_dog_bark_" in path.name


def test_a_fault_of_the_disk_is_one_line_and_over_when_it_is_over(open_clips, caplog):
    clips = open_clips()
    clips.heard(next(sound(stream(), 0, 5 * RATE)))
    folder = clips._config.folder
    folder.rename(folder.with_name("away"))
    with caplog.at_level(logging.INFO):
        for number in range(3):
            clips.publish(event("start", 1, 1, number=number))
            clips.publish(event("end", 1, 2, number=number))
            _wait(clips, number + 1)
        folder.with_name("away").rename(folder)
        clips.publish(event("start", 1, 1, number=3))
        clips.publish(event("end", 1, 2, number=3))
        clips.close()
    assert [r.getMessage().replace(str(folder), "F") for r in caplog.records] == [
        "clips: F: cannot be written: No such file or directory; further faults are counted",
        "clips: can be written again; 3 were not",
    ]


def test_a_fault_of_ours_costs_one_clip_and_is_said(open_clips, caplog):
    clips = open_clips()
    write = clips._folder.write
    clips._folder.write = lambda clip: write(None) if f"{0:032x}" in clip.name else write(clip)
    clips.heard(next(sound(stream(), 0, 5 * RATE)))
    for number in range(3):
        clips.publish(event("start", 1, 1, number=number))
        clips.publish(event("end", 1, 2, number=number))
    clips.close()
    assert clips.written == 2
    assert [m.startswith("clips: AttributeError") for m in caplog.messages] == [True]


def _wait(clips, count):
    done = threading.Event()
    for _ in range(1000):
        if clips.failed + clips.written >= count:
            return
        done.wait(0.01)
    raise AssertionError("waited in vain")


def test_a_disk_that_hangs_delays_nothing_and_what_waits_is_bounded(open_clips, caplog):
    clips = open_clips()
    hanging, release = threading.Event(), threading.Event()

    def hang(clip):
        hanging.set()
        release.wait(60)
        raise OSError(5, "Input/output error")

    clips._folder.write = hang
    clips.heard(next(sound(stream(), 0, 5 * RATE)))
    for number in range(QUEUE + 4):
        clips.publish(event("start", 1, 1, number=number))
        clips.publish(event("end", 1, 2, number=number))
        hanging.wait(60)
    assert clips.dropped == 3
    assert "the disk is too slow: 2 dropped so far" in caplog.text
    release.set()


def test_a_label_that_is_not_reported_is_a_configuration_error(tmp_path):
    config = ClipsConfig(folder=tmp_path, labels=["Dog barc"])
    with pytest.raises(ConfigError, match=r"clips\.labels: 'Dog barc'.*did you mean 'Dog bark'"):
        check_clips(config, [DOG])


@pytest.fixture
def run(tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    from rigs.model import silence, tone, write_bundle

    def run(**sections):
        sounds = [silence(4), tone("Hum", 2), silence(5), tone("Hiss", 1), silence(3)]
        soundfile.write(tmp_path / "sound.flac", np.concatenate(sounds), RATE)
        tree = {
            "bundle": str(write_bundle(tmp_path / "bands")),
            "sources": {"kitchen": {"file": "sound.flac", "pace": "fast"}},
            "jsonl": "events.jsonl",
        }
        (tmp_path / "mic.yaml").write_text(yaml.safe_dump(tree | sections))
        command = [sys.executable, "-m", "ast_edge", "run", "--config", tmp_path / "mic.yaml"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        lines = (tmp_path / "events.jsonl").read_text().splitlines()
        return [event for line in lines if (event := json.loads(line))["type"] == "end"]

    return run


def test_the_daemon_keeps_the_sound_of_its_events(run, tmp_path):
    events = run(clips={"folder": "clips", "pre_roll": 2, "post_roll": 1, "min_free_bytes": 0})
    recorded, _ = soundfile.read(tmp_path / "sound.flac", dtype="int16")
    clips = sorted((tmp_path / "clips").iterdir())
    assert {e["id"] for e in events} == {path.stem.split("_")[-1] for path in clips}
    assert len(clips) == 2
    for path in clips:
        samples, _ = soundfile.read(path, dtype="int16")
        (one,) = [e for e in events if e["id"] in path.name]
        start = round((_seconds(one["onset"]) - _started(events)) * RATE) + 4 * RATE - 2 * RATE
        assert len(samples) == pytest.approx((2 + one["duration"] + 1) * RATE, abs=1600)
        assert _is_part_near(samples, recorded, start)


def _seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _started(events):
    return _seconds(events[0]["onset"])


def _is_part_near(samples, recorded, start):
    """Whether the clip is a stretch of the recording that begins within a second of `start`."""
    near = range(max(0, start - RATE), start + RATE)
    return any(np.array_equal(samples, recorded[s : s + len(samples)]) for s in near)


def test_without_the_section_no_sound_is_written(run, tmp_path):
    assert len(run()) == 2
    assert not list(tmp_path.rglob("clips"))
    assert [p.name for p in tmp_path.rglob("*.flac")] == ["sound.flac"]


def reviewed(open_clips, before, **options):
    """Let a clip be asked for when so much was heard; return the clips, and where it is to be."""
    clips, kitchen = open_clips(only_reviewed=True, post_roll=3, **options), stream()
    for block in sound(kitchen, 0, 5 * RATE):
        clips.heard(block)
    clips.publish(event("start", 4, 5))
    clips.publish(event("end", 4, 5))
    place = clips.keep(f"{1:032x}") if before else None
    for block in sound(kitchen, 5 * RATE, 20 * RATE):
        clips.heard(block)
    return clips, place


def test_with_only_reviewed_nothing_is_written_unasked(open_clips):
    clips, _ = reviewed(open_clips, before=False)
    assert written(clips) == []


def test_a_clip_may_be_asked_for_before_its_post_roll_was_heard(open_clips):
    clips, place = reviewed(open_clips, before=True)
    assert len(written(clips)[0]) == 6 * RATE
    assert place.exists()


def test_a_clip_that_nobody_has_any_more_is_not_promised(open_clips):
    clips, _ = reviewed(open_clips, before=False)
    assert clips.keep(f"{2:032x}") is None


def test_a_reload_and_an_end_write_nothing_that_was_not_reviewed(open_clips):
    clips = open_clips(only_reviewed=True)
    for block in sound(stream(), 0, 5 * RATE):
        clips.heard(block)
    clips.publish(event("start", 4, 5))
    assert written(clips) == []
