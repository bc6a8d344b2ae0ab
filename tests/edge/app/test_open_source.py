import time

import numpy as np
import soundfile

from ast_edge.app.open_source import open_source
from ast_edge.app.source_config import SourceConfig
from ast_edge.audio.stream import Monitored
from ast_edge.sources.card import CardChannel
from ast_edge.sources.microphone import MicrophoneSource
from ast_edge.sources.pcm import PcmSource
from ast_edge.sources.recording import RecordingSource
from ast_edge.sources.url_source import UrlSource


def test_a_microphone_is_a_microphone_source():
    source = open_source("kitchen", SourceConfig(microphone="usb"))
    assert isinstance(source, MicrophoneSource)
    assert source.name == "kitchen"


def test_a_file_is_a_recording_source(tmp_path):
    path = tmp_path / "a.wav"
    path.touch()
    config = SourceConfig.model_validate({"file": path}, context={"folder": tmp_path})
    assert isinstance(open_source("kitchen", config), RecordingSource)


def test_stdin_is_a_pcm_source():
    source = open_source("kitchen", SourceConfig(stdin="f32le"))
    source.close()
    assert isinstance(source, PcmSource)


def test_a_url_is_a_url_source():
    source = open_source("gate", SourceConfig(url="rtsp://me:secret@cam/live"))
    assert isinstance(source, UrlSource)
    assert isinstance(source, Monitored)


def test_a_channel_of_a_microphone_shares_its_card():
    one, two = (
        open_source(name, SourceConfig(microphone="usb", channel=channel))
        for name, channel in (("left", 1), ("right", 2))
    )
    assert isinstance(one, CardChannel)
    assert isinstance(two, CardChannel)
    one.close()
    two.close()


def test_a_microphone_knows_its_health():
    assert isinstance(open_source("kitchen", SourceConfig(microphone="usb")), Monitored)


def test_a_recording_in_real_time_begins_when_it_is_played(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.zeros(1600, np.float32), 16_000)
    source = open_source("hall", SourceConfig(file=str(tmp_path / "x.wav")))
    prepared = time.time()  # loading the model takes a while from here on
    assert next(iter(source.blocks())).stream.started_at >= prepared
