import os
import subprocess

import pytest
from rigs.sound import pulse
from rigs.sound.listener import Listener

from ast_edge.base.errors import AudioError
from ast_edge.sources import pulse_source
from ast_edge.sources.devices import InputDevice, find_input, list_inputs
from ast_edge.sources.microphone import MicrophoneSource
from ast_edge.sources.pulse_source import (
    ServerFault,
    list_pulse_sources,
    through_the_bridge,
    with_pulse_sources,
)

CARD = InputDevice(0, "USB PnP Sound Device: Audio (hw:1,0)", 1, 44100, False)
BRIDGE = InputDevice(4, "pulse", 32, 44100, True)
VMIC = "pulse:vmic"

needs_server = pytest.mark.skipif(bool(pulse.available()), reason=str(pulse.available()))


def pactl(*arguments):
    subprocess.run(["pactl", *arguments], check=True, capture_output=True, timeout=20)


@needs_server
def test_the_servers_microphones_are_listed_without_what_others_play(microphone):
    (found,) = list_pulse_sources()
    assert (found.name, found.channels, found.sample_rate) == (VMIC, 2, 48000)


@needs_server
def test_without_a_card_they_stand_in_the_list_of_devices(microphone):
    assert VMIC in [device.name for device in list_inputs()]


@needs_server
def test_with_a_card_they_stand_there_only_when_one_is_asked_for(microphone):
    inputs = (CARD, BRIDGE)
    assert with_pulse_sources(inputs) == inputs
    assert [x.name for x in with_pulse_sources(inputs, VMIC)[2:]] == [VMIC]


@needs_server
def test_a_number_of_the_list_is_that_of_one_device(microphone):
    numbers = [device.index for device in with_pulse_sources((BRIDGE,))]
    assert numbers == [4, 5]


def test_what_alsa_has_is_found_before_the_server_is():
    source = InputDevice(5, "pulse:usb", 1, 48000, False)
    usb = InputDevice(0, "USB Audio", 1, 44100, False)
    assert find_input("usb", (usb, source)) == usb
    assert find_input("usb", (BRIDGE, source)) == source


@needs_server
def test_one_of_several_microphones_is_recorded_by_its_name(microphone):
    pactl("load-module", "module-null-source", "source_name=other")
    pactl("set-default-source", "other")
    source = MicrophoneSource("test", VMIC)
    with Listener(source) as listener:
        listener.wait_for_streams(1)
        said = subprocess.check_output(["pactl", "list", "source-outputs"], text=True)
        numbers = [line.split() for line in _lines("list", "short", "sources")]
        assert f"Source: {next(n for n, name, *_ in numbers if name == 'vmic')}\n" in said


@needs_server
@pytest.mark.slow
def test_one_that_is_unplugged_is_waited_for_though_the_server_gives_another(microphone, caplog):
    pactl("load-module", "module-null-source", "source_name=other")
    source = MicrophoneSource("test", VMIC)
    with Listener(source) as listener:
        listener.wait_for_streams(1)
        pactl("unload-module", "module-remap-source")
        listener.wait(lambda _: source.health.condition == "waiting")
        assert "no source 'vmic' any more" in caplog.text
        remap = ("module-remap-source", "source_name=vmic", "master=vspk.monitor")
        pactl("load-module", *remap)
        listener.wait_for_streams(2)


def test_without_a_way_to_the_server_it_is_said_what_is_missing(monkeypatch):
    monkeypatch.delenv("PULSE_SOURCE", raising=False)
    source = InputDevice(5, "pulse:usb", 1, 48000, False)
    with pytest.raises(AudioError, match="install libasound2-plugins"):
        through_the_bridge(source, (CARD,))
    assert "PULSE_SOURCE" not in os.environ


def test_a_server_that_is_not_there_is_a_fault_and_no_list(monkeypatch, tmp_path):
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nobody")
    with pytest.raises(ServerFault, match=r"no sound server|pactl is not"):
        list_pulse_sources()
    assert with_pulse_sources((BRIDGE,)) == (BRIDGE,)


def test_without_pactl_it_is_said_which_package_has_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerFault, match="pulseaudio-utils"):
        list_pulse_sources()


def test_a_server_that_hangs_is_left_after_a_while(monkeypatch, tmp_path):
    (tmp_path / "pactl").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "pactl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(pulse_source, "_TIMEOUT", 0.1)
    with pytest.raises(ServerFault, match="has not answered"):
        list_pulse_sources()


def _lines(*question):
    return subprocess.check_output(["pactl", *question], text=True).splitlines()
