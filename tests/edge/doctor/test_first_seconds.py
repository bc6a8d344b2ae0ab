import pytest

from ast_edge.app.open_source import open_source
from ast_edge.app.source_config import SourceConfig
from ast_edge.doctor.first_seconds import LISTEN_SECONDS, FirstSeconds
from ast_edge.sources.child_source import ChildSource
from ast_edge.sources.pcm import PcmFormat

CAMERA = "rtsp://camera/live"


@pytest.mark.parametrize(
    ("section", "least"),
    [
        ({"microphone": "x"}, 10),
        ({"microphone": "x", "stall_timeout": 30}, 60),
        ({"url": "http://radio/live"}, 20),
        ({"url": "http://radio/live", "stall_timeout": 60}, 60),
        ({"url": CAMERA}, 60),  # two attempts for the sound alone, one with the picture
        ({"url": CAMERA, "rtsp_media": "all"}, 20),
    ],
)
def test_it_is_as_patient_as_the_source_itself(section, least):
    config = SourceConfig(**section)
    assert least <= FirstSeconds(open_source("s", config), config).patience <= least + 5


def child(program):
    source = ChildSource("s", "the child", ["sh", "-c", program], pcm=PcmFormat("s16le", 1000, 1))
    return FirstSeconds(source, SourceConfig(microphone="x"))


@pytest.mark.slow  # tried five times, at growing pauses
def test_a_source_that_fails_again_and_again_is_given_up_with_its_own_reason():
    first = child("echo Device unavailable >&2; exit 1")
    assert list(first.blocks()) == []
    assert (first.seconds, first.complaint) == (0.0, "Device unavailable")


def test_it_ends_when_enough_is_heard():
    first = child("yes")
    assert sum(len(block.samples) for block in first.blocks()) == LISTEN_SECONDS * 1000
    assert first.complaint == ""
