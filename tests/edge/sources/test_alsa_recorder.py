"""Microphones of formats that not every program takes, from device to stream."""

import numpy as np
import pytest
from rigs.sound import alsa_microphone
from rigs.sound.listener import Listener

from ast_edge.app.source_config import SourceConfig
from ast_edge.doctor.first_seconds import FirstSeconds
from ast_edge.sources.alsa_recorder import converting
from ast_edge.sources.capture import channel_counts
from ast_edge.sources.devices import InputDevice
from ast_edge.sources.microphone import MicrophoneSource


@pytest.fixture(scope="module")
def alsa(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alsa")
    if reason := alsa_microphone.build(folder):
        pytest.skip(reason)
    return folder / "asoundrc"


@pytest.fixture(autouse=True)
def _microphones(monkeypatch, request):
    if "alsa" in request.fixturenames:
        monkeypatch.setenv("ALSA_CONFIG_PATH", str(request.getfixturevalue("alsa")))


def record(device, **options):
    """Return half a second of a device as (samples, channels)."""
    with Listener(MicrophoneSource("m", device, **options)) as listener:
        listener.wait(lambda it: len(it.blocks) >= 5)
    return np.concatenate([block.samples for block in listener.blocks[:5]])


@pytest.mark.parametrize("device", ["zeros32", "zeros24"])
def test_digital_silence_of_more_than_16_bits_stays_silence(alsa, device):
    assert not record(device).any()


@pytest.mark.parametrize(("device", "channels"), [("stereo", 2), ("six", 6), ("fourth", 8)])
def test_a_device_is_opened_with_all_of_its_channels(alsa, device, channels):
    sound = record(device)
    assert sound.shape[1] == channels
    assert sound[:, min(3, channels - 1)].std() > 0.05


def test_the_only_channel_with_sound_is_not_lost(alsa):
    assert record("right").mean(axis=1).std() > 0.05


def test_a_format_that_portaudio_does_not_know_is_converted(alsa):
    sound = record("padded")
    assert sound.shape[1] == 2
    assert sound.std() > 0.05


def test_a_converted_device_can_be_opened_with_fewer_channels(alsa):
    assert record("padded", channels=1).shape[1] == 1


@pytest.mark.parametrize(
    ("device", "remark"),
    [
        ("fourth", "only channel 4 of 8 has sound"),
        ("antiphase", "its channels cancel each other out"),
        ("stereo", ""),
    ],
)
def test_what_is_wrong_with_the_channels_is_said(alsa, device, remark):
    first = FirstSeconds(MicrophoneSource("m", device), SourceConfig(microphone=device))
    assert list(first.blocks())
    assert first.remark.startswith(remark)
    assert bool(first.remark) == bool(remark)


@pytest.mark.parametrize(
    ("name", "most", "asked", "first"),
    [
        ("USB Audio (hw:1,0)", 2, None, 2),
        ("USB Audio (hw:1,0)", 20, None, 20),
        ("USB Audio (hw:1,0)", 8, 4, 4),
        ("pulse", 32, None, 1),
        ("default", 128, None, 1),
        ("array", 8, None, 8),
    ],
)
def test_hardware_gives_its_own_channels_and_a_sound_server_mixes(name, most, asked, first):
    assert channel_counts(InputDevice(0, name, most, 48_000, False), asked)[0] == first


def test_hardware_is_converted_by_its_number_and_others_by_their_name():
    assert converting("USB Audio: - (hw:1,0)") == "plughw:1,0"
    assert converting("array") == "plug:array"
