import os
import subprocess
import sys

import numpy as np
import pytest
from rigs.listener import Listener

from ast_edge.pcm import PcmFormat, PcmSource

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


def test_a_pipe_of_a_low_rate_is_said_to_lack_what_lies_above(pipe):
    fd, writer = pipe
    source = PcmSource("pipe", fd, PcmFormat("s16le", 8000, 1))
    writer.write(bytes(3200))
    writer.close()
    list(source.blocks())
    assert source.health.condition == "ok"
    assert "its sound ends at 4 kHz" in source.health.reason
