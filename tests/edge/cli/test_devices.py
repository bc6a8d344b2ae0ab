import argparse
import json

import numpy as np
import pytest
import soundfile
from rigs.sound import pulse

from ast_edge.base.errors import AudioError
from ast_edge.cli import devices


def run(*arguments):
    parser = argparse.ArgumentParser()
    devices.add_parser(parser.add_subparsers())
    args = parser.parse_args(["devices", *arguments])
    return args.command(args)


def test_the_list_has_a_line_for_each_device(microphone, capsys):
    assert run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert "   0   32 ch   44100 Hz  vmic" in "\n".join(lines)
    assert [line[-7:] for line in lines if line.startswith("*")] == ["default"]


def test_the_list_as_json_can_be_read_back(microphone, capsys):
    assert run("--json") == 0
    names = [device["name"] for device in json.loads(capsys.readouterr().out)]
    assert pulse.DEVICE in names


def test_the_meter_shows_the_level_of_what_is_played(microphone, capsys, tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(10 * 48000) / 48000)
    soundfile.write(tmp_path / "a.wav", tone, 48000)
    microphone.play(tmp_path / "a.wav")
    assert run("vmi", "--seconds", "4") == 0
    assert "peak   -6.0 dBFS  rms   -9.0 dBFS" in capsys.readouterr().out


def test_an_unknown_device_is_an_error(microphone):
    with pytest.raises(AudioError, match="no input device is named 'jabra'"):
        run("jabra")


def test_no_device_at_all_is_an_error_with_a_hint(monkeypatch):
    monkeypatch.setattr(devices, "list_inputs", lambda: ())
    with pytest.raises(AudioError, match="is a microphone plugged in") as caught:
        run()
    assert caught.value.exit_code == 66
