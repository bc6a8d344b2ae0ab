import traceback

import pytest
from pydantic import ValidationError

from ast_edge.app.config import load_config
from ast_edge.app.source_config import SourceConfig
from ast_edge.base.errors import ConfigError
from ast_edge.frontend.conditioner import Conditioning
from ast_edge.frontend.gate import GateSettings

SECRET = "rtsp://admin:s3cret@cam/live"


def test_the_password_of_a_url_is_in_no_repr():
    config = SourceConfig(url=SECRET)
    assert config.url.get_secret_value() == SECRET
    assert "s3cret" not in f"{config!r} {config} {config.model_dump_json()}"


@pytest.mark.parametrize(
    "gate",
    [
        "{url: 'rtsp://admin:s3/cret@cam'}",
        "{url: 'admin:s3cret@cam'}",
        "{url: [s3cret]}",
        f"{{file: '{SECRET}'}}",
        f"'{SECRET}'",
    ],
)
def test_a_url_that_is_wrong_or_misplaced_is_refused_without_its_password(gate, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(f"sources: {{gate: {gate}}}")
    with pytest.raises(ConfigError, match=r"sources\.gate") as caught:
        load_config(path)
    assert "cret" not in "".join(traceback.format_exception(caught.value))


def test_a_gate_of_one_number_is_a_level():
    assert SourceConfig(microphone="x", gate=-50).gate_settings == GateSettings(level=-50)


def test_a_gate_may_follow_the_noise_floor():
    config = SourceConfig(microphone="x", gate={"above_floor": 15})
    assert config.gate_settings == GateSettings(above_floor=15)


def test_without_a_gate_nothing_is_gated():
    assert SourceConfig(microphone="x").gate_settings is None


def test_an_empty_gate_is_refused():
    with pytest.raises(ValidationError, match="give level, above_floor or both"):
        SourceConfig(microphone="x", gate={})


def test_the_conditioning_is_what_the_section_says():
    config = SourceConfig(microphone="x", channel=2, gain_db=6, high_pass=100)
    assert config.conditioning == Conditioning(gain_db=6, high_pass=100, channel=2)


def test_the_channel_of_a_url_is_chosen_by_ffmpeg():
    assert SourceConfig(url=SECRET, channel=2).conditioning.channel is None


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"stdin": "s16le", "channel": 2}, "channel 2 is not one of 1 channels"),
        ({"microphone": "x", "channels": 2, "channel": 3}, "channel 3 is not one of 2 channels"),
        ({"url": SECRET, "channels": 2}, "channels is not for a url"),
        ({"stdin": "s16le", "true_rate": 8000}, "give stdin its sample_rate"),
        ({"microphone": "x", "rtsp_media": "all"}, "are for a url of rtsp"),
        ({"url": "http://h/x", "rtsp_transport": "udp"}, "are for a url of rtsp"),
        ({"url": SECRET, "microphone": "x"}, "got microphone, url"),
    ],
)
def test_what_does_not_fit_together_is_refused(section, reason):
    with pytest.raises(ValidationError, match=reason):
        SourceConfig(**section)
