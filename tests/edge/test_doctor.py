import numpy as np
import pytest
import soundfile
import yaml

from ast_edge.doctor import examine


@pytest.fixture
def config(tiny_model, tmp_path):
    """Write a configuration with a recording; keys may be changed."""
    soundfile.write(tmp_path / "tone.wav", 0.3 * np.sin(np.arange(64000) / 5), 16000)

    def write(**changes):
        tree = {
            "node": "attic",
            "bundle": str(tiny_model),
            "sources": {"kitchen": {"file": str(tmp_path / "tone.wav")}},
        }
        path = tmp_path / "mic.yaml"
        path.write_text(yaml.safe_dump(tree | changes))
        return path

    return write


def findings(path):
    return {finding.step: finding for finding in examine(path)}


def test_every_step_that_works_says_so(config):
    found = findings(config())
    assert list(found) == ["configuration", "engine", "source kitchen"]
    assert all(finding.well and not finding.remedy for finding in found.values())
    assert "3.0 s, peak -10 dBFS, most likely " in found["source kitchen"].text


def test_a_mistake_in_the_configuration_ends_the_examination(config):
    found = findings(config(hopp=1))
    assert list(found) == ["configuration"]
    assert "hopp" in found["configuration"].text


def test_an_engine_that_cannot_be_opened_ends_the_examination(config):
    found = findings(config(engine={"name": "onnxruntime", "precision": "bf16"}))
    assert list(found) == ["configuration", "engine"]
    assert "bf16" not in found["engine"].remedy
    assert not found["engine"].well


def test_a_recording_that_is_not_there_is_said(config, tmp_path):
    (path := config()) and (tmp_path / "tone.wav").unlink()
    found = findings(path)
    last = list(found.values())[-1]
    assert not last.well
    assert "tone.wav" in last.text


def test_standard_input_is_left_alone(config):
    found = findings(config(sources={"pipe": {"stdin": "s16le"}}))
    assert found["source pipe"].well


def test_a_microphone_that_is_not_there_is_said(config, microphone):
    found = findings(config(sources={"kitchen": {"microphone": "no such device"}}))
    assert not found["source kitchen"].well
    assert "devices" in found["source kitchen"].remedy


def test_a_microphone_that_delivers_zeros_is_said(config, microphone):
    found = findings(config(sources={"kitchen": {"microphone": "vmic"}}))
    assert "nothing but zeros" in found["source kitchen"].remedy


def test_a_microphone_with_sound_is_well(config, microphone, tmp_path):
    path = config(sources={"kitchen": {"microphone": "vmic"}})
    soundfile.write(tmp_path / "long.wav", 0.3 * np.sin(np.arange(320000) / 5), 16000)
    steps = examine(path)
    assert [next(steps).step for _ in range(2)] == ["configuration", "engine"]
    microphone.play(tmp_path / "long.wav")
    heard = next(steps)
    assert heard.well, heard
