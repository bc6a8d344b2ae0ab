import dataclasses
import json

import pytest
from rigs.sound import pulse

from ast_edge.base.errors import AudioError
from ast_edge.sources.devices import InputDevice, find_input, list_inputs, to_json

CAMERA = InputDevice(0, "HD Camera: USB Audio (hw:0,0)", 2, 32000, False)
DONGLE = InputDevice(3, "USB PnP Sound Device: Audio (hw:1,0)", 1, 44100, False)
PULSE = InputDevice(5, "pulse", 32, 44100, True)
INPUTS = (CAMERA, DONGLE, PULSE)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("default", PULSE),
        ("3", DONGLE),
        ("HD Camera: USB Audio (hw:0,0)", CAMERA),
        ("pnp sound", DONGLE),
        ("hw:1,0", DONGLE),
        ("plughw:1,0", DONGLE),
        ("hw:0", CAMERA),
        ("hw:CARD=1,DEV=0", DONGLE),
    ],
)
def test_a_device_is_found_by(wanted, found):
    assert find_input(wanted, INPUTS) == found


def test_a_card_is_found_by_its_alsa_name(tmp_path):
    (tmp_path / "Device").symlink_to("card1")
    assert find_input("hw:CARD=Device,DEV=0", INPUTS, cards=tmp_path) == DONGLE


def test_a_whole_name_wins_over_parts_of_others():
    monitor = dataclasses.replace(PULSE, index=6, name="pulse monitor", is_default=False)
    assert find_input("pulse", (monitor, PULSE)) == PULSE


def test_a_device_named_default_serves_where_none_is_marked():
    device = InputDevice(0, "default", 2, 48000, False)
    assert find_input("default", (device,)) == device


def test_an_ambiguous_name_lists_what_it_could_be():
    with pytest.raises(AudioError, match="'usb' is part of several input devices: 'HD Camera"):
        find_input("usb", INPUTS)


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(AudioError, match="no input device is named 'jabra'; there are 'HD Camera"):
        find_input("jabra", INPUTS)


def test_a_machine_without_inputs_is_told_so():
    with pytest.raises(AudioError, match="no input device at all"):
        find_input("default", ())


def test_json_is_a_list_of_objects():
    assert [InputDevice(**device) for device in json.loads(to_json(INPUTS))] == list(INPUTS)


@pytest.mark.skipif(bool(pulse.available()), reason=str(pulse.available()))
def test_the_virtual_microphone_is_listed_while_it_is_there(monkeypatch):
    with pulse.VirtualMicrophone() as microphone:
        for key, value in microphone.environment.items():
            monkeypatch.setenv(key, value)
        assert pulse.DEVICE in [device.name for device in list_inputs()]
        assert sum(device.is_default for device in list_inputs()) == 1
    monkeypatch.delenv("ALSA_CONFIG_PATH")
    assert pulse.DEVICE not in [device.name for device in list_inputs()]


@pytest.mark.skipif(bool(pulse.available()), reason=str(pulse.available()))
def test_a_crash_of_the_sound_libraries_is_an_error_of_one_line(monkeypatch):
    monkeypatch.setenv("ALSA_CONFIG_PATH", "/nonexistent")  # PortAudio aborts the process
    with pytest.raises(AudioError, match=r"PortAudio has crashed \(signal 6\).*libasound2-data"):
        list_inputs()


@pytest.mark.parametrize("wanted", ["hw:CARD=Device", "plughw:CARD=Device,DEV=0", "hw:Device"])
def test_a_card_that_has_another_number_today_is_found_by_its_id(tmp_path, wanted):
    for number, moved in ((1, DONGLE), (2, dataclasses.replace(DONGLE, name="USB PnP (hw:2,0)"))):
        card = tmp_path / str(number)
        card.mkdir()
        (card / "Device").symlink_to(f"card{number}")
        assert find_input(wanted, (CAMERA, moved), cards=card) == moved
