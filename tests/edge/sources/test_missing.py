import os

import pytest
from rigs.sound import pulse

from ast_edge.sources.missing import what_is_missing

CAPTURE = "00-00: USB Audio : USB Audio : playback 1 : capture 1\n"


@pytest.fixture(autouse=True)
def no_server(monkeypatch, tmp_path):
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nobody")


@pytest.fixture
def cards(tmp_path):
    folder = tmp_path / "asound"
    folder.mkdir()
    (folder / "pcm").write_text(CAPTURE)
    return folder


@pytest.fixture
def nodes(tmp_path):
    folder = tmp_path / "snd"
    folder.mkdir()
    for name in ("controlC0", "pcmC0D0c", "pcmC0D0p"):
        (folder / name).touch()
    return folder


def test_a_machine_without_a_card_is_told_so(tmp_path):
    said = what_is_missing(tmp_path / "none", tmp_path / "none")
    assert said.startswith("ALSA has no card that records: is a microphone plugged in?; ")


def test_a_card_that_only_plays_is_none(cards, nodes):
    (cards / "pcm").write_text("00-03: HDMI 0 : HDMI 0 : playback 1\n")
    assert "no card that records" in what_is_missing(cards, nodes)


def test_a_container_without_the_device_is_told_the_option(cards, tmp_path):
    said = what_is_missing(cards, tmp_path / "snd")
    assert "--device-cgroup-rule 'c 116:* rw'" in said
    assert "snd is not here" in said


def test_a_user_outside_of_the_group_is_told_its_name(cards, nodes, monkeypatch):
    os.chown(nodes / "pcmC0D0c", -1, 29) if os.geteuid() == 0 else None
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may open everything
    said = what_is_missing(cards, nodes)
    assert f"user {os.geteuid()} may not open {nodes}/pcmC0D0c: it needs the group " in said
    assert os.geteuid() != 0 or "29" in said


def test_a_group_that_has_no_name_here_is_told_by_its_number(cards, nodes, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("gives a file to a group that nobody is in: needs root")
    os.chown(nodes / "pcmC0D0c", -1, 54321)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "it needs the group 54321 (" in what_is_missing(cards, nodes)


def test_a_rule_of_the_container_that_forbids_it_is_named(cards, nodes, monkeypatch):
    def forbid(path, flags):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "open", forbid)
    said = what_is_missing(cards, nodes)
    assert f"{nodes}/controlC0 is forbidden to this container" in said


def test_a_sound_server_that_does_not_answer_is_named_with_its_reason(tmp_path):
    said = what_is_missing(tmp_path, tmp_path)
    assert f"PulseAudio or PipeWire at unix:{tmp_path}/nobody: " in said
    assert "\n" not in said


@pytest.mark.skipif(bool(pulse.available()), reason=str(pulse.available()))
def test_a_sound_server_without_a_microphone_is_told_from_one_with(tmp_path, monkeypatch):
    with pulse.VirtualMicrophone() as microphone:
        for key, value in microphone.environment.items():
            monkeypatch.setenv(key, value)
        assert what_is_missing(tmp_path, tmp_path).endswith(" has pulse:vmic")
        microphone.unplug()
        assert what_is_missing(tmp_path, tmp_path).endswith(" has no microphone")
