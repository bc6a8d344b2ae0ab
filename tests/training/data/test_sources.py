import numpy as np
from rigs.packs import Pack, make_recipe

from ast_training.data.sources import place, source_of, split_of


def pack_config(tmp_path, **settings):
    pack = Pack(tmp_path / "pack")
    pack.add("a.wav", "hum", **{settings["group"]: ""} if "group" in settings else {})
    recipe = make_recipe({"one": pack.config(labels={"hum": "Hum"}, **settings)})
    return recipe.packs["one"]


def test_the_place_of_a_source_is_the_same_for_ever():
    assert place("freesound:77") == 0.5134538622147423


def test_sources_are_spread_evenly():
    places = np.sort([place(f"source {n}") for n in range(2000)])
    assert np.abs(places - np.linspace(0, 1, 2000)).max() < 0.04  # Kolmogorov, 0.3 % level


def test_takes_of_other_names_are_other_sources(tmp_path):
    pack = pack_config(tmp_path)
    names = ["ring-1.wav", "ring-2.flac", "rings.wav"]
    found = [source_of("one", pack, {"filename": name}) for name in names]
    assert found == ["one:ring", "one:ring", "one:rings"]


def test_the_thresholds_divide_test_validation_and_training(tmp_path):
    pack = pack_config(tmp_path, test_share=0.25, validation_share=0.25)
    sources = [f"source {n}" for n in range(200)]
    for source in sources:
        at = place(source)
        expected = "test" if at < 0.25 else "validation" if at < 0.5 else "train"
        assert split_of(source, pack, {}) == expected
