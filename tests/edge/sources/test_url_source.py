"""Live streams of real servers, through a real ffmpeg."""

import logging
import os
import signal
import subprocess
import time

import numpy as np
import pytest
from rigs.broker.mosquitto import wait_until
from rigs.ports import free_port
from rigs.processes import children
from rigs.sound import stream_server
from rigs.sound.camera import Camera
from rigs.sound.encoded import needs_ffmpeg
from rigs.sound.listener import Listener
from rigs.sound.segment_server import SegmentServer

from ast_edge.audio.health import OK
from ast_edge.base.errors import AudioError
from ast_edge.sources.url_source import MediaChoice, UrlSource, ffmpeg_command

PATHS = {"rtsp": "/sound", "http": "/live"}


@pytest.fixture(params=PATHS)
def server(request):
    """A server of either kind that does not run yet; `url` is what it will serve."""
    if reason := stream_server.available(request.param):
        pytest.skip(reason)
    with stream_server.StreamServer(request.param) as server:
        server.url = f"{request.param}://{server.host}{PATHS[request.param]}"
        yield server


def pitch(samples, rate=16_000):
    """Return the loudest frequency in hertz."""
    return np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples)


def heard(source, seconds=1.0):
    """Return the first stream's sound of so many seconds after its first half second."""
    blocks = round((seconds + 0.5) * 10)
    with Listener(source) as listener:
        listener.wait(lambda it: len(it.blocks) >= blocks)
    return listener.samples(listener.streams[0])[8000:, 0][: round(seconds * 16_000)]


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.slow  # ffmpeg looks at HTTP for five seconds first
def test_it_hears_the_tone_that_is_served(server):
    server.start()
    sound = heard(UrlSource("gate", server.url))
    assert pitch(sound) == 1000
    assert np.abs(sound).max() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("server", ["rtsp"], indirect=True)
@pytest.mark.parametrize(("channel", "peak"), [(None, 0.25), (1, 0.0), (2, 0.5)])
def test_one_channel_can_be_chosen(server, channel, peak):
    server.start()
    url = server.url.replace("/sound", "/stereo")
    sound = heard(UrlSource("gate", url, channel=channel))
    assert np.abs(sound).max() == pytest.approx(peak, abs=0.02)


@pytest.mark.parametrize("server", ["rtsp"], indirect=True)
def test_the_picture_of_a_camera_is_left_out(server):
    server.start()
    assert pitch(heard(UrlSource("gate", server.url.replace("/sound", "/camera")))) == 1000


@pytest.mark.slow  # ffmpeg looks at HTTP for five seconds first
def test_a_server_that_dies_and_comes_back_is_a_new_stream(server, caplog):
    server.start()
    source = UrlSource("gate", server.url)
    with Listener(source) as listener:
        listener.wait_for_streams(1)
        server.kill()
        wait_until(lambda: source.health.condition == "waiting")
        server.start()
        listener.wait_for_streams(2)
        wait_until(lambda: source.health.condition == "ok")
    lost, back = warnings(caplog)
    assert lost.startswith(f"stream {server.url.rpartition('/')[0]}: ")
    assert "is back after" in back


@pytest.mark.slow
def test_a_server_that_freezes_is_a_new_stream(server, caplog):
    server.start()
    source = UrlSource("gate", server.url, stall_timeout=1.0)
    with Listener(source) as listener:
        listener.wait_for_streams(1)
        server.freeze()
        wait_until(lambda: source.health.condition == "stalled")
        assert source.health.reason == "no data for 1.0 s"
        server.thaw()
        listener.wait_for_streams(2)


@pytest.mark.slow
def test_an_ffmpeg_that_freezes_is_killed_and_the_stream_opened_again(server, caplog):
    server.start()
    source = UrlSource("gate", server.url, stall_timeout=1.0)
    with Listener(source) as listener:
        listener.wait_for_streams(1)
        (frozen,) = children("ffmpeg")
        os.kill(frozen, signal.SIGSTOP)
        wait_until(lambda: source.health.condition == "stalled")
        assert source.health.reason == "no data for 1.0 s"
        listener.wait_for_streams(2)
        (child,) = children("ffmpeg")
        assert child != frozen
        wait_until(lambda: source.health.condition == "ok")
    assert children("ffmpeg") == []
    lost, back = warnings(caplog)
    assert "no data for 1.0 s (opening it again)" in lost
    assert "is back after" in back


@pytest.mark.slow  # ffmpeg looks at HTTP for five seconds first
def test_a_server_that_is_absent_at_first_is_heard_when_it_appears(server, caplog):
    source = UrlSource("gate", server.url)
    with Listener(source) as listener:
        wait_until(lambda: source.health.condition == "waiting")
        assert "Connection refused" in source.health.reason
        server.start()
        listener.wait_for_streams(1)
    assert source.restarts == 0


def test_a_password_is_never_shown(server, caplog):
    user, host = "admin:s3cret%2Fword", server.host
    source = UrlSource("gate", server.url.replace(host, f"{user}@{host}") + "?token=t0ken")
    with caplog.at_level(logging.DEBUG), Listener(source):
        wait_until(lambda: source.health.condition == "waiting")
    said = caplog.text + source.health.reason
    assert "Connection refused" in said
    assert not [secret for secret in ("s3cret", "word", "t0ken", "admin") if secret in said]


@pytest.mark.parametrize("server", ["http"], indirect=True)
def test_what_a_server_has_kept_for_its_listeners_is_left_out(server):
    server.start()
    source = UrlSource("gate", server.url.replace("/live", "/burst"))
    with Listener(source) as listener:
        listener.wait(lambda it: len(it.blocks) >= 5)
        now = time.time()
    block = listener.blocks[4]
    end = block.stream.started_at + (block.start + len(block.samples)) / block.stream.sample_rate
    assert end == pytest.approx(now, abs=1.0)  # four seconds came at once


@pytest.mark.parametrize("server", ["http"], indirect=True)
def test_a_recording_is_no_live_stream(server):
    server.start()
    source = UrlSource("gate", server.url.replace("/live", "/file"))
    with Listener(source) as listener:
        wait_until(lambda: source.health.condition == "waiting")
    assert source.health.reason == "its sound comes faster than time goes by: is it a recording?"
    assert not listener.blocks


@pytest.mark.parametrize("server", ["http"], indirect=True)
def test_a_burst_of_a_low_bit_rate_is_left_out(server):
    server.start()
    source = UrlSource("gate", server.url.replace("/live", "/long-burst"))
    with Listener(source) as listener:
        listener.wait(lambda it: len(it.blocks) >= 5)
        now = time.time()
    block = listener.blocks[4]
    end = block.stream.started_at + (block.start + len(block.samples)) / block.stream.sample_rate
    assert end == pytest.approx(now, abs=1.0)  # a minute came at once


# Cameras


@needs_ffmpeg
@pytest.mark.slow  # ffmpeg waits five seconds for the picture
@pytest.mark.parametrize("stingy", ["refuse", "burst"])
def test_a_camera_that_gives_no_lasting_sound_alone_is_asked_for_the_picture_too(stingy):
    with Camera(stingy) as camera, Listener(UrlSource("gate", camera.url)) as listener:
        wait_until(lambda: {"picture", "sound"} in camera.asked)
        heard = len(listener.blocks)
        listener.wait(lambda it: len(it.blocks) >= heard + 20)
        assert camera.asked == [{"sound"}, {"sound"}, {"picture", "sound"}]


@needs_ffmpeg
@pytest.mark.parametrize(("media", "tracks"), [("audio", {"sound"}), ("all", {"picture", "sound"})])
def test_those_who_know_can_say_what_a_camera_is_asked_for(media, tracks):
    with Camera() as camera, Listener(UrlSource("gate", camera.url, media=media)):
        wait_until(lambda: camera.asked)
    assert camera.asked[0] == tracks


def test_what_has_brought_lasting_sound_is_asked_for_again():
    choice = MediaChoice()
    for seconds, media in [(0, "audio"), (2, "all"), (0, "all"), (3600, "all"), (0, "all")]:
        choice.judge(seconds)
        assert choice.now == media
    choice.judge(0)
    assert choice.now == "audio"


@needs_ffmpeg
def test_sound_at_8_khz_is_said_to_lack_the_upper_half(caplog):
    with Camera() as camera, Listener(source := UrlSource("gate", camera.url)) as listener:
        listener.wait(lambda it: it.blocks)
        wait_until(lambda: "ends at 4 kHz" in source.health.reason)
    assert source.health.condition == "ok"
    [said] = warnings(caplog)
    assert "its sound ends at 4 kHz where the model hears up to 8" in said


@needs_ffmpeg
@pytest.mark.slow  # a wrong rate is noticed after 20 s
def test_the_true_rate_is_offered_where_a_wrong_one_is_stated():
    with Camera(speed=2) as camera, Listener(source := UrlSource("gate", camera.url)):
        wait_until(lambda: source.health.condition == "drifting", timeout=60)
        assert source.health.reason.endswith("; if it always does, set `true_rate: 32000`")


@needs_ffmpeg
def test_with_its_true_rate_the_sound_is_as_long_as_the_time(caplog):
    with Camera(speed=2) as camera:
        source = UrlSource("gate", camera.url, true_rate=32_000)
        with Listener(source) as listener:
            listener.wait(lambda it: len(it.blocks) >= 30)
    (stream,) = listener.streams
    assert stream.sample_rate == 32_000
    assert source.health == OK  # 8 kHz are stated, 16 kHz it is


# Other kinds of address


@needs_ffmpeg
@pytest.mark.slow
def test_segments_flow_whatever_their_list_is_called(tmp_path):
    with SegmentServer(tmp_path) as server:
        source = UrlSource("gate", f"{server.url}/play?id=3", stall_timeout=1.5)
        with Listener(source) as listener:
            listener.wait(lambda it: len(it.blocks) >= 80)
    assert len(listener.streams) == 1


@needs_ffmpeg
@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "form", "options"),
    [
        ("srt://127.0.0.1:{}", "mpegts", {"query": "?mode=listener"}),
        ("rtmp://127.0.0.1:{}/live/garden", "flv", {"listen": ("-listen", "1")}),
    ],
)
def test_other_live_protocols_are_heard(url, form, options):
    url = url.format(free_port())
    tone = ("-re", "-f", "lavfi", "-i", "sine=1000:r=44100", "-c:a", "aac", "-f", form)
    command = ["ffmpeg", "-nostdin", "-v", "error", *tone, *options.get("listen", ())]
    server = subprocess.Popen([*command, url + options.get("query", "")])
    try:
        assert pitch(heard(UrlSource("gate", url))) == pytest.approx(1000, abs=2)
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@needs_ffmpeg
def test_the_transport_of_a_camera_can_be_chosen(transport):
    command = ffmpeg_command("rtsp://camera/live", 16_000, transport=transport)
    assert command[command.index("-rtsp_transport") + 1] == transport


@pytest.mark.parametrize("server", ["rtsp"], indirect=True)
def test_a_server_of_rtsp_is_heard_over_udp(server):
    server.start()
    assert pitch(heard(UrlSource("gate", server.url, transport="udp"))) == 1000


@pytest.mark.parametrize("server", ["rtsp"], indirect=True)
def test_ffmpeg_may_be_installed_while_it_is_waited_for(server, monkeypatch, tmp_path):
    server.start()
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", str(tmp_path))
    source = UrlSource("gate", server.url)
    with Listener(source) as listener:
        wait_until(lambda: source.health.condition == "waiting")
        assert source.health.reason.startswith("a url needs ffmpeg, which is not installed (apt")
        monkeypatch.setenv("PATH", path)
        listener.wait_for_streams(1)


@pytest.mark.parametrize(("library", "option"), [("58. 76", "-stimeout"), ("59. 27", "-timeout")])
def test_the_timeout_is_spelled_as_this_ffmpeg_knows_it(monkeypatch, tmp_path, library, option):
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\necho 'libavformat    {library}.100'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert option in ffmpeg_command("rtsp://camera/live", 16_000)


def test_something_else_named_ffmpeg_is_refused(monkeypatch, tmp_path):
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(AudioError, match="to name its libavformat; is it FFmpeg"):
        ffmpeg_command("rtsp://camera/live", 16_000)
