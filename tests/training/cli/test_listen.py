import csv

import numpy as np
import pytest
from rigs.training.packs import RATE, Pack, two_sounds, write_recipe

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.training.loudness import loudness_graph

from ast_training.cli.main import main


@pytest.fixture
def noise(tmp_path):
    """Two rooms, in one of which something loud sounds."""
    pack = Pack(tmp_path / "noise")
    pack.add("loud.wav", "fan", np.full(RATE, 0.5, np.float32))
    pack.add("quiet.wav", "fan", np.zeros(RATE, np.float32) + 0.01)
    return {"noise": pack.config(role="background")}


def listen(tmp_path, packs, **sections):
    recipe = write_recipe(tmp_path / "recipe.yaml", packs, **sections)
    return main(["listen", "--config", str(recipe), "--out", str(tmp_path / "heard.csv")])


def test_what_teachers_hear_in_background_noise_is_written(tmp_path, noise, capsys):
    graph = loudness_graph(tmp_path / "teacher.onnx")
    names = tmp_path / "labels.txt"
    names.write_text("Hum\nWhistle\n")
    teachers = [{"kind": "onnx", "weights": str(graph), "labels": str(names)}]
    packs = two_sounds(tmp_path / "sounds") | noise
    assert listen(tmp_path, packs, teachers=teachers) == 0
    with (tmp_path / "heard.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["pack", "filename", "may"], ["noise", "loud.wav", "Hum"]]
    assert "something is heard in 1 of 2 recordings" in capsys.readouterr().out


def test_a_recipe_without_teachers_is_refused(tmp_path, noise, capsys):
    assert listen(tmp_path, two_sounds(tmp_path / "sounds") | noise) == 78
    assert "expected teachers, got none" in capsys.readouterr().err
    assert not (tmp_path / "heard.csv").exists()
