import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from rigs.sound.arrivals import AT_ONCE, NOW, Arrivals, crystal, truth
from rigs.sound.listener import Listener

from ast_edge.sources.pcm import PcmFormat, PcmSource

MONO = PcmFormat("s16le", 16000, 1)


@pytest.fixture
def pipe():
    """The read end of a pipe and a file object that writes to the other."""
    read, write = os.pipe()
    with os.fdopen(read, "rb", buffering=0) as reader, os.fdopen(write, "wb", 0) as writer:
        yield reader.fileno(), writer


def test_s16le_is_scaled_to_one():
    decoded = MONO.decode(np.array([-32768, 0, 16384], "<i2").tobytes())
    np.testing.assert_array_equal(decoded, [[-1], [0], [0.5]])


def test_full_scale_of_s32le_is_one():
    samples = np.array([-(2**31), 0, 2**30, 2**31 - 1], "<i4")
    decoded = PcmFormat("s32le", 16000, 1).decode(samples.tobytes())
    np.testing.assert_array_equal(decoded[:, 0], np.float32([-1, 0, 0.5, 1]))


def test_f32le_is_taken_as_it_is():
    samples = np.array([[0.25, -1.5], [np.nan, 1]], "<f4")
    decoded = PcmFormat("f32le", 48000, 2).decode(samples.tobytes())
    np.testing.assert_array_equal(decoded, samples)


@pytest.mark.parametrize(("rate", "channels"), [(0, 1), (16000, 0)])
def test_a_format_of_nothing_is_refused(rate, channels):
    with pytest.raises(ValueError, match="expected a positive sample rate and channels"):
        PcmFormat("s16le", rate, channels)


def test_the_blocks_are_the_bytes_up_to_the_end(tmp_path):
    samples = np.arange(2 * 2000, dtype="<i2").reshape(-1, 2)
    path = tmp_path / "a.pcm"
    path.write_bytes(samples.tobytes())
    with path.open("rb") as file:
        source = PcmSource("p", file.fileno(), PcmFormat("s16le", 8000, 2))
        blocks = list(source.blocks())
    source.close()
    assert [b.start for b in blocks] == [0, 800, 1600]
    np.testing.assert_array_equal(
        np.concatenate([b.samples for b in blocks]), samples.astype(np.float32) / 32768
    )


def test_bytes_that_come_one_by_one_are_put_together(pipe):
    fd, writer = pipe
    source = PcmSource("p", fd, PcmFormat("s16le", 100, 1))
    with Listener(source) as listener:
        for byte in range(20):
            writer.write(bytes([byte]))
        listener.wait(lambda it: it.blocks)
    assert listener.blocks[0].samples.shape == (10, 1)


@pytest.mark.parametrize(("size", "frames"), [(0, []), (1, []), (7, [3])])
def test_a_partial_frame_at_the_end_is_dropped(pipe, size, frames):
    fd, writer = pipe
    writer.write(bytes(size))
    writer.close()
    source = PcmSource("p", fd, MONO)
    assert [len(b.samples) for b in source.blocks()] == frames
    source.close()


def test_the_first_sample_came_before_the_first_block_arrived(pipe):
    fd, writer = pipe
    writer.write(bytes(3200))
    writer.close()
    source = PcmSource("p", fd, MONO, clock=lambda: 1000.0)
    [block] = source.blocks()
    source.close()
    assert (block.stream.started_at, block.stream.live) == (pytest.approx(999.9), True)


def test_close_wakes_a_source_that_waits(pipe):
    fd, writer = pipe
    writer.write(bytes(3200))
    source = PcmSource("p", fd, MONO)
    with Listener(source) as listener:
        listener.wait(lambda it: it.blocks)
        source.close()
        source.close()
        listener.wait(lambda it: it.ended)


def test_a_source_that_was_closed_before_gives_nothing(pipe):
    fd, writer = pipe
    writer.write(bytes(3200))
    source = PcmSource("p", fd, MONO)
    source.close()
    assert list(source.blocks()) == []


def test_it_reads_the_output_of_a_program():
    program = "import sys; sys.stdout.buffer.write(bytes(16000))"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        source = PcmSource("p", process.stdout.fileno(), MONO)
        assert sum(len(b.samples) for b in source.blocks()) == 8000
    source.close()


def test_a_file_that_is_piped_in_is_not_live(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(6400))
    with (tmp_path / "a.raw").open("rb") as file:
        source = PcmSource("a", file.fileno(), PcmFormat("s16le", 16000, 1), live=False)
        (stream,) = {block.stream for block in source.blocks()}
    assert not stream.live


def streams(tmp_path, blocks, live=True):
    """Return the seconds of sound in each stream, and the error of the newest one's time."""
    (tmp_path / "a.pcm").write_bytes(bytes(3200 * len(blocks)))
    arrivals = Arrivals(blocks)
    with (tmp_path / "a.pcm").open("rb") as file:
        source = PcmSource(
            *("p", file.fileno(), MONO),
            live=live,
            clock=arrivals.wall,
            monotonic=arrivals.monotonic,
        )
        found = {}
        for block in source.blocks():
            samples = block.start + len(block.samples)
            found[block.stream] = samples / MONO.sample_rate
        source.close()
    [*_, (stream, seconds)] = found.items()
    return list(found.values()), round(arrivals.wall() - stream.started_at - seconds, 3)


def test_sound_that_flows_is_one_stream(tmp_path):
    assert streams(tmp_path, [NOW] * 600) == ([60.0], 0.0)


@pytest.mark.parametrize("set_by", [0.0, -8 * 3600.0, 3600.0], ids=["lost", "back", "forth"])
def test_after_a_pause_or_a_clock_that_was_set_times_are_right_again(tmp_path, set_by):
    blocks = [*[NOW] * 10, (4.0, set_by), *[NOW] * 20]
    (before, _), error = streams(tmp_path, blocks)
    assert before == pytest.approx(1.5, abs=0.11)
    assert error == 0.0


@pytest.mark.parametrize("ppm", [50, -50, 200])
def test_a_crystal_that_is_off_is_one_stream_at_the_right_time(tmp_path, ppm):
    slow = PcmFormat("s16le", 10, 1)  # a sample each 100 ms
    (tmp_path / "a.pcm").write_bytes(bytes(2 * 36_000))
    arrivals = Arrivals(crystal(ppm, late=lambda block: block * 7919 % 40 / 1000))
    with (tmp_path / "a.pcm").open("rb") as file:
        source = PcmSource(
            *("p", file.fileno(), slow), clock=arrivals.wall, monotonic=arrivals.monotonic
        )
        blocks = list(source.blocks())
        source.close()
    assert len({block.stream for block in blocks}) == 1
    times = [block.when.time_at(block.start / 10) for block in blocks]
    assert all(before < after for before, after in itertools.pairwise(times))
    wrong = [time - truth(block.start / 10, ppm) for block, time in zip(blocks, times, strict=True)]
    assert max(map(abs, wrong)) < 0.05


def test_a_lost_second_is_a_new_stream_at_the_right_time(tmp_path):
    found, error = streams(tmp_path, [*[NOW] * 600, (1.1, 0.0), *[NOW] * 120])
    assert len(found) == 2
    assert error == 0.0


def test_sound_that_waited_in_a_pipe_is_no_gap(tmp_path):
    blocks = [*[NOW] * 10, (4.0, 0.0), *[AT_ONCE] * 39, *[NOW] * 300]
    assert streams(tmp_path, blocks) == ([35.0], 0.0)


@pytest.mark.parametrize("blocks", [10, 60], ids=["1 s", "6 s"])
def test_sound_that_comes_in_pieces_is_one_stream(tmp_path, blocks):
    piece = [(blocks / 10, 0.0), *[AT_ONCE] * (blocks - 1)]
    assert len(streams(tmp_path, piece * 10)[0]) == 1


def test_the_time_of_sound_that_comes_in_pieces_is_corrected_after_ten_seconds(tmp_path):
    piece = [(1.0, 0.0), *[AT_ONCE] * 9]
    found, error = streams(tmp_path, [*piece * 5, (4.0, 0.0), *[AT_ONCE] * 9, *piece * 15])
    assert len(found) == 2
    assert abs(error) < 1


@pytest.mark.parametrize("live", [True, False])
def test_sound_that_comes_faster_than_time_goes_by_is_one_stream(tmp_path, live):
    assert len(streams(tmp_path, [NOW, *[AT_ONCE] * 900], live)[0]) == 1


def test_a_recording_has_no_clock(tmp_path):
    assert streams(tmp_path, [*[NOW] * 10, (60.0, 1e6), *[NOW] * 200], live=False)[0] == [21.1]


def test_a_pipe_of_a_low_rate_is_said_to_lack_what_lies_above(pipe):
    fd, writer = pipe
    source = PcmSource("pipe", fd, PcmFormat("s16le", 8000, 1))
    writer.write(bytes(3200))
    writer.close()
    list(source.blocks())
    assert source.health.condition == "ok"
    assert "its sound ends at 4 kHz" in source.health.reason
