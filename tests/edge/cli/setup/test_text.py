"""The example with answers in it: it says what was answered and keeps its comments."""

from pathlib import Path

import pytest
import yaml

from ast_edge.app.config import load_config
from ast_edge.cli.setup.answers import Answers, Broker
from ast_edge.cli.setup.text import configuration_text, example

ALL = Answers(
    microphone="USB Audio #2: mic, 'x' ${y}",
    room="on",
    node="0123",
    broker=Broker("::1", 8884, True, None, "ann: # b", "s3cret"),
    labels=("Baby cry, infant cry", "Dog"),
    bundle="/srv/a b: c",
    hop=0.7,
    idle_hop=2.5,
    engine={"name": "openvino", "device": "gpu"},
)


def read(text, tmp_path):
    path = tmp_path / "mic.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_every_answer_stands_in_its_place(tmp_path):
    (tmp_path / "secrets.yaml").write_text("broker-2: s3cret\n")
    config = read(configuration_text(ALL, "broker-2"), tmp_path)
    assert config == ALL.config(tmp_path / "mic.yaml")


def test_what_was_not_answered_is_as_if_left_out(tmp_path):
    config = read(configuration_text(Answers(), None), tmp_path)
    assert config == Answers().config(tmp_path / "mic.yaml")
    assert config.mqtt is None


def test_no_comment_of_the_example_is_lost():
    text = configuration_text(ALL, "broker")
    lines = map(str.strip, example().splitlines())
    comments = [line.rpartition(" # ")[2] for line in lines if " # " in line]
    assert [comment for comment in comments if comment not in text] == []


def test_the_password_is_not_in_the_text():
    assert "s3cret" not in configuration_text(ALL, "broker")
    assert "s3cret" not in repr(ALL)


@pytest.mark.parametrize(
    "name",
    ["null", "1e3", "a: b", "- x", "#", "'", '"\\', "ä → 🎤", "a\u2028b", "!x", "@", "{", "%a"],
)
def test_any_name_of_a_microphone_is_that_name(name, tmp_path):
    config = read(configuration_text(Answers(microphone=name), None), tmp_path)
    assert config.sources["room"].microphone == name


def test_the_example_is_in_the_wheel():
    root = Path(__file__).parents[4]
    assert (
        '"configs/mic.yaml" = "ast_edge/configs/mic.yaml"' in (root / "pyproject.toml").read_text()
    )
    assert yaml.safe_load((root / "configs/mic.yaml").read_text())["mqtt"]["host"] == "localhost"
