import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rigs.broker.mosquitto import wait_until
from rigs.sound import pulse
from rigs.sound.listener import Listener

from ast_edge.sources.microphone import MicrophoneSource

pytestmark = pytest.mark.skipif(bool(pulse.available()), reason=str(pulse.available()))


@pytest.fixture
def source():
    return MicrophoneSource("kitchen", pulse.DEVICE, stall_timeout=1.0)


def heard_in(listener):
    return len(listener.streams) and len(listener.samples(listener.streams[-1])) > 0


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_it_hears_the_tone_that_is_played(microphone, source, tmp_path):
    time_axis = np.arange(3 * 48000) / 48000
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 1000 * time_axis), 48000)
    with Listener(source) as listener:
        listener.wait(heard_in)
        microphone.play(tmp_path / "a.wav").wait(20)
        played = len(listener.blocks)
        listener.wait(lambda it: len(it.blocks) > played + 5)
    [stream] = listener.streams
    samples = listener.samples(stream)[:, 0]
    tone = samples[np.abs(samples) > 0.01]
    middle = samples[np.flatnonzero(np.abs(samples) > 0.01)[0] :][44100 : 2 * 44100]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 1000
    assert np.max(np.abs(middle)) == pytest.approx(0.5, abs=0.01)
    # |sin| is above 0.01 / 0.5 for all but 1.3 % of the time
    assert len(tone) / 44100 == pytest.approx(3 * 0.987, abs=0.03)


def test_silence_is_passed_through(microphone, source):
    with Listener(source) as listener:
        listener.wait(lambda it: len(it.blocks) > 5)
    [stream] = listener.streams
    assert not listener.samples(stream).any()


def test_samples_are_counted_without_a_gap(microphone, source):
    with Listener(source) as listener:
        listener.wait(lambda it: len(it.blocks) > 5)
    ends = [b.start + len(b.samples) for b in listener.blocks]
    assert [b.start for b in listener.blocks] == [0, *ends[:-1]]


def test_the_time_of_the_samples_is_that_of_the_wall_clock(microphone, source):
    before = time.time()
    with Listener(source) as listener:
        listener.wait(lambda it: len(it.blocks) > 20)
        block = listener.blocks[-1]
        after = time.time()
    end = block.stream.started_at + (block.start + len(block.samples)) / block.stream.sample_rate
    assert before + 2.0 < end < after + 0.5  # sound that waited in a buffer may shift it a little


def test_a_sound_server_that_crashes_and_comes_back_is_a_new_stream(microphone, source, caplog):
    with Listener(source) as listener:
        listener.wait(heard_in)
        microphone.kill()
        microphone.start()
        listener.wait_for_streams(2)
    assert source.restarts == 1
    first, second = warnings(caplog)
    assert first == "microphone 'vmic': the device has gone away (opening it again)"
    assert second.startswith("microphone 'vmic' is back after ")


def test_a_microphone_that_is_unplugged_and_comes_back_is_a_new_stream(microphone, source):
    with Listener(source) as listener:
        listener.wait(heard_in)
        microphone.unplug()
        microphone.replug()
        listener.wait_for_streams(2)
    assert source.restarts == 1


@pytest.mark.slow
def test_a_stalled_sound_server_is_a_new_stream(microphone, source, caplog):
    with Listener(source) as listener:
        listener.wait(heard_in)
        microphone.stall()
        resume = threading.Timer(2.0, microphone.resume)
        resume.start()
        listener.wait_for_streams(2)
        resume.join()
    assert warnings(caplog)[0] == "microphone 'vmic': no data for 1.0 s (opening it again)"


def test_a_device_that_is_absent_at_first_is_heard_when_it_appears(microphone, source, caplog):
    microphone.unplug()
    with Listener(source) as listener:
        while not caplog.records:
            assert not listener.blocks
            time.sleep(0.02)
        microphone.replug()
        listener.wait(heard_in)
    assert source.restarts == 0
    assert "'vmic' cannot be opened" in warnings(caplog)[0]


def test_a_microphone_with_another_name_is_heard_if_the_wanted_part_is_still_in_it(microphone):
    source = MicrophoneSource("kitchen", "vmic", stall_timeout=1.0)
    with Listener(source) as listener:
        listener.wait(heard_in)
        microphone.rename("vmic_2")
        microphone.unplug()
        wait_until(lambda: source.health.condition == "waiting")
        microphone.replug()
        listener.wait_for_streams(2)
        wait_until(lambda: source.health.condition == "ok")


def test_a_microphone_that_alsa_has_lost_is_found_at_the_sound_server(microphone):
    source = MicrophoneSource("kitchen", "vmic", stall_timeout=1.0)
    with Listener(source) as listener:
        listener.wait(heard_in)
        microphone.rename("other")
        microphone.unplug()
        microphone.replug()
        listener.wait_for_streams(2)


def test_a_microphone_that_has_lost_its_name_is_waited_for(microphone):
    microphone.rename("other")  # which the sound server does not know it by
    source = MicrophoneSource("kitchen", "other", stall_timeout=1.0)
    with Listener(source) as listener:
        listener.wait(heard_in)
        microphone.rename("third")
        microphone.unplug()
        microphone.replug()
        wait_until(lambda: "no input device is named 'other'" in source.health.reason)
        assert source.health.condition == "waiting"
        microphone.rename("other")
        listener.wait_for_streams(2)


def test_a_mute_microphone_is_said_once_and_heard_when_it_speaks(microphone, caplog, tmp_path):
    source = MicrophoneSource("kitchen", "vmic", stall_timeout=1.0, muted_seconds=0.5)
    hiss = np.random.default_rng(1).normal(0, 0.1, 48000)
    soundfile.write(tmp_path / "hiss.wav", hiss, 48000)
    with Listener(source) as listener:
        wait_until(lambda: source.health.condition == "muted")
        listener.wait_for_streams(3)  # it has been opened again
        assert warnings(caplog) == [
            "microphone 'vmic': nothing but zeros for 0.5 s: muted or broken?"
        ]
        assert source.health.condition == "muted"
        microphone.wait_for_listener()
        microphone.play(tmp_path / "hiss.wav")
        wait_until(lambda: source.health.condition == "ok")


@pytest.mark.slow
def test_a_microphone_that_clips_is_said(microphone, source, tmp_path):
    hiss = np.clip(np.random.default_rng(1).normal(0, 1, 20 * 48000), -1, 1)
    soundfile.write(tmp_path / "loud.wav", hiss, 48000)
    with Listener(source) as listener:
        listener.wait(heard_in)
        microphone.play(tmp_path / "loud.wav")
        wait_until(lambda: source.health.condition == "clipping", timeout=40)
    assert source.health.reason == "it clips all the time: lower its capture volume"


def test_one_channel_of_a_stereo_microphone_can_be_chosen(microphone):
    source = MicrophoneSource("kitchen", "vmic", channel=2)
    with Listener(source) as listener:
        listener.wait(heard_in)
    assert listener.streams[0].channels == 2


def test_close_returns_while_the_sound_server_hangs(microphone, source):
    with Listener(source) as listener:
        listener.wait(heard_in)
        microphone.stall()
        source.close()
        listener.wait(lambda it: it.ended, timeout=5)


@pytest.mark.parametrize("stalled", [False, True], ids=["running", "stalled"])
def test_no_process_is_left_when_the_parent_is_killed(microphone, stalled):
    program = (
        "from ast_edge.sources.microphone import MicrophoneSource\n"
        "for block in MicrophoneSource('a', 'vmic', stall_timeout=60).blocks():\n"
        "    print(flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        try:
            parent.stdout.readline()
            [child] = children_of(parent.pid)
            if stalled:
                microphone.stall()
        finally:
            parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_alive(child):
        assert time.monotonic() < deadline, "the child outlives its parent"
        time.sleep(0.02)


def test_close_leaves_no_process(microphone, source):
    with Listener(source) as listener:
        listener.wait(heard_in)
        before = children_of(os.getpid())
    assert len(before) - len(children_of(os.getpid())) == 1  # reaped, too: no zombie is left


def status(pid):
    """State and parent of a process, from after its name in parentheses."""
    state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return state, int(parent)


def is_alive(pid):
    try:
        return status(pid)[0] != "Z"  # nobody may be there to reap an orphan
    except FileNotFoundError:
        return False


def children_of(parent):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if status(folder.name)[1] == parent:
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
    return found
