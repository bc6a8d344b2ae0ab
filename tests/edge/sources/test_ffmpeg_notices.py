import pytest

from ast_edge.sources.ffmpeg_notices import FfmpegNotices

CAMERA = """\
[info] Input #0, rtsp, from 'rtsp://me:secret@cam/1':
[info]   Duration: N/A, start: 0.000000, bitrate: N/A
[info]   Stream #0:0: Video: h264 (Baseline), yuv420p, 640x360, 90k tbr
[info]   Stream #0:1: Audio: pcm_mulaw, 8000 Hz, mono, s16, 64 kb/s
[info]   Stream #0:2(ger): Audio: aac (LC), 48000 Hz, stereo, fltp
[info] Stream mapping:
[info]   Stream #0:1 -> #0:0 (pcm_mulaw (native) -> pcm_s16le (native))
[info] Output #0, s16le, to 'pipe:1':
[info]   Stream #0:0: Audio: pcm_s16le, 16000 Hz, mono, s16, 256 kb/s
"""


def take(text):
    notices = FfmpegNotices()
    return notices, [said for line in text.splitlines() if (said := notices.take(line))]


def test_what_ffmpeg_finds_is_no_complaint():
    assert take(CAMERA)[1] == []


def test_the_rate_is_that_of_the_sound_that_was_chosen():
    assert take(CAMERA)[0].sample_rate == 8000
    assert take(CAMERA.replace("#0:1 ->", "#0:2 ->"))[0].sample_rate == 48_000


@pytest.mark.parametrize(("kind", "segmented"), [("hls", True), ("dash", True), ("mp3", False)])
def test_what_comes_in_segments_is_known(kind, segmented):
    assert take(f"[info] Input #0, {kind}, from 'http://h/play':")[0].is_segmented == segmented


def test_errors_are_complaints_without_their_level():
    text = "[rtsp @ 0x55] [error] method PLAY failed: 455\n[fatal] gone\n[warning] late\n[info] x"
    assert take(text)[1] == ["[rtsp @ 0x55] method PLAY failed: 455", "gone"]


def test_further_lines_are_of_the_level_of_the_first():
    assert take("[warning] one\ntwo\n[error] three\nfour")[1] == ["three", "four"]


def test_what_the_loader_says_is_a_complaint():
    assert take("ffmpeg: error while loading shared libraries: libx")[1]
