import json
import subprocess
import sys

import pytest
from rigs.sound import pulse

pytestmark = pytest.mark.skipif(bool(pulse.available()), reason=str(pulse.available()))


@pytest.fixture
def capture():
    """Start the process that records."""
    processes = []

    def start(*arguments):
        command = [sys.executable, "-m", "ast_edge.sources.capture", *arguments]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        processes.append(subprocess.Popen(command, **pipes))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait(10)
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


@pytest.mark.parametrize(
    ("arguments", "rate", "channels"),
    [
        ([], 44100, 1),
        (["--sample-rate=16000", "--channels=2"], 16000, 2),
        (["--channels=99"], 44100, 1),
        (["--sample-rate=1"], 44100, 1),
    ],
    ids=["its own", "as asked", "too many channels", "impossible rate"],
)
def test_it_announces_the_format_it_got(microphone, capture, arguments, rate, channels):
    process = capture("--device=vmic", *arguments)
    header = json.loads(process.stdout.readline())
    assert header == {"device": "vmic", "sample_rate": rate, "channels": channels}
    assert len(process.stdout.read(rate * channels // 5)) == rate * channels // 5


def test_the_end_of_stdin_ends_it(microphone, capture):
    process = capture("--device=vmic")
    process.stdout.readline()
    process.stdin.close()
    assert process.wait(10) == 0


def test_the_end_of_stdin_ends_it_while_the_sound_server_hangs(microphone, capture):
    process = capture("--device=vmic")
    process.stdout.read(10000)
    microphone.stall()
    process.stdin.close()
    assert process.wait(10) == 0


def test_a_reader_that_goes_away_ends_it(microphone, capture):
    process = capture("--device=vmic")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(10) == 0


def test_a_device_that_goes_away_ends_it_with_one_line(microphone, capture):
    process = capture("--device=vmic")
    process.stdout.read(10000)
    microphone.unplug()
    assert process.wait(10) == 66
    assert process.stderr.read() == b"the device has gone away\n"


def test_an_unknown_device_ends_it_with_one_line(microphone, capture):
    process = capture("--device=jabra")
    assert process.wait(10) == 66
    [line] = process.stderr.read().decode().splitlines()
    assert line.startswith("no input device is named 'jabra'; there are 'vmic'")


def test_a_device_that_cannot_be_opened_ends_it_with_one_line(microphone, capture):
    microphone.unplug()
    process = capture("--device=vmic")
    assert process.wait(10) == 66
    [line] = process.stderr.read().decode().splitlines()
    assert line.startswith("'vmic' cannot be opened: ")


@pytest.mark.slow
def test_sound_that_nobody_reads_ends_it(microphone, capture):
    process = capture("--device=vmic", "--sample-rate=96000")
    assert process.wait(60) == 66
    assert process.stderr.read() == b"the sound has not been read for 5 s\n"


def test_it_loads_nothing_large_for_there_is_one_for_each_microphone():
    program = (
        "import sys, ast_edge.sources.capture\n"
        "print(sorted({'numpy', 'pydantic', 'yaml', 'importlib.metadata'} & sys.modules.keys()))\n"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "[]\n"
