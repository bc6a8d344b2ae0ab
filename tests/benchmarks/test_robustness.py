"""The whole benchmark, with a tiny model and sounds that it knows."""

import json
import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
import robustness
from parts.held_out import open_held_out
from parts.result import Result
from rigs.model import silence, tone
from rigs.training.packs import Pack, make_recipe, write_recipe

from ast_edge.base.errors import ConfigError
from ast_edge.model.bundle import load_bundle

LABELS = {"Hum": "/m/01swy6", "Hiss": "/m/07plz5l"}


def packs(folder):
    """Four sources of a Hum, one of which hisses too late for its label, two of a Hiss, a click."""
    sounds, noise = Pack(folder / "sounds"), Pack(folder / "noise")
    for source in "abcd":
        both = np.concatenate([tone("Hum", 1), tone("Hiss", 1) if source == "a" else silence(1)])
        sounds.add(f"hum-{source}.wav", "hum", both, source=source)
        sounds.add(f"hum-{source}2.wav", "hum", tone("Hum", 1), source=source)
    sounds.add("hiss-e.wav", "hiss", tone("Hiss", 1), source="e")
    sounds.add("hiss-f.wav", "hiss", tone("Hiss", 1), source="f")
    sounds.add("click.wav", "click", silence(1), source="g")
    noise.add("kettle.wav", "", tone("Hiss", 2), source="h")
    held_out = {"group": "source", "test_share": 1.0}
    return {
        "sounds": sounds.config(labels={"hum": "Hum", "hiss": "Hiss"}, **held_out),
        "noise": noise.config(role="background", **held_out),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory, framed_model):
    folder = tmp_path_factory.mktemp("robustness")
    recipe = write_recipe(folder / "recipe.yaml", packs(folder), labels=LABELS)
    command = f"robustness.py --recipe {recipe} --bundle {framed_model} --per-label 4"
    command += f" --json {folder}/figures.json --results {folder}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command.split())
        robustness.main()
    return folder


@pytest.fixture
def held_out(tmp_path, framed_model):
    recipe = make_recipe(packs(tmp_path), labels=LABELS)
    return open_held_out(recipe, load_bundle(framed_model), ["test"], seconds=10.0)


def test_sounds_that_the_model_knows_are_ranked_first(made):
    tree = json.loads((made / "figures.json").read_text())
    assert tree["robustness"]["clean"]["ap"]["Hum"] == 1.0
    assert tree["recordings"] == {"Hum": 4, "Hiss": 2}


def test_noise_in_the_band_of_a_label_makes_it_worse(made):
    conditions = json.loads((made / "figures.json").read_text())["robustness"]
    assert conditions["SNR -5 dB"]["ap"]["Hiss"] < conditions["clean"]["ap"]["Hiss"]


def test_what_a_sound_is_taken_for_comes_with_its_share(made):
    tree = json.loads((made / "figures.json").read_text())
    assert tree["confusions"] == {"Hum": [["Hiss", 0.25]], "Hiss": []}


def test_the_result_has_tables_and_curves(made):
    result = Result.load(made / "robustness.json")
    assert [table.caption for table in result.tables][-1] == "Which labels are good enough"
    assert {len(row) for table in result.tables for row in table.rows} == {3, 4, 6, 10}
    assert [plot.x.split()[0] for plot in result.plots] == [
        "gain",
        "signal-to-noise",
        "direct",
        "dB",
    ]


def test_a_sample_takes_every_source_before_a_second_recording_of_one(held_out):
    chosen = held_out.sample(per_label=4, seed=3)
    hums = [held_out.recordings.recordings[i].group for i in chosen if held_out.targets[i, 0]]
    assert sorted(hums) == [f"sounds:{source}" for source in "abcd"]


def test_the_same_seed_chooses_the_same_recordings(held_out):
    assert held_out.sample(1, seed=5) == held_out.sample(1, seed=5)
    assert {tuple(held_out.sample(1, seed=seed)) for seed in range(9)} != {
        tuple(held_out.sample(1, seed=5))
    }


def test_a_bundle_with_a_label_that_the_recipe_lacks_is_refused(tmp_path, framed_model):
    recipe = make_recipe(packs(tmp_path), labels=LABELS)
    recipe.labels["Sizzle"] = recipe.labels.pop("Hiss")
    with pytest.raises(ConfigError, match="Hiss"):
        open_held_out(recipe, load_bundle(framed_model), ["test"], seconds=10.0)


@pytest.mark.parametrize(
    ("ap", "sources", "expected"),
    [
        (0.29, 9, "left out"),
        (float("nan"), 0, "left out"),
        (0.31, 9, "experimental"),
        (0.9, 4, "experimental"),
        (0.5, 5, "good"),
    ],
)
def test_a_label_is_judged_by_its_precision_and_its_sources(ap, sources, expected):
    assert robustness.verdict(ap, sources) == expected
