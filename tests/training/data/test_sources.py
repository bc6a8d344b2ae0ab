from random import Random

import numpy as np
import pytest
from rigs.training.packs import Pack, make_recipe

from ast_training.data.sources import choose_groups, place, source_of, source_of_name, split_of


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


FIXED = {
    "bell-1.wav": ("one:bell", "validation", "bell"),
    "bell 2.wav": ("one:bell ", "validation", "bell"),
    "bell (3).flac": ("one:bell (3)", "validation", "bell"),
    "door.ogg": ("one:door", "test", "door"),
    "1.wav": ("one:", "validation", "1.wav"),
    "02.wav": ("one:", "validation", "02.wav"),
    "a/knock_07.wav": ("one:a/knock", "validation", "a/knock"),
    "b/knock_07.wav": ("one:b/knock", "train", "b/knock"),
    "siren.loud.3.wav": ("one:siren.loud", "train", "siren.loud"),
}
"""Source and split in a pack, as when the models were trained, and the source in a set."""


@pytest.mark.parametrize("name", FIXED)
def test_no_source_of_a_pack_moves_to_another_split(tmp_path, name):
    pack = pack_config(tmp_path, test_share=0.3, validation_share=0.3)
    row = {"filename": name}
    source = source_of("one", pack, row)
    assert (source, split_of(source, pack, row)) == FIXED[name][:2]


@pytest.mark.parametrize("name", FIXED)
def test_takes_of_a_set_are_of_one_source(name):
    assert source_of_name(name) == FIXED[name][2]


# Sets without a split


def of_label(label, groups):
    return [(f"{label}{number}", (label,)) for number in range(groups)]


def test_a_share_of_the_groups_of_every_label_validates():
    chosen = choose_groups(of_label("a", 40) + of_label("b", 20))
    assert sum(group.startswith("a") for group in chosen) == 6
    assert sum(group.startswith("b") for group in chosen) == 3


def test_every_label_of_two_groups_or_more_is_held_out_once():
    chosen = choose_groups(of_label("a", 2) + of_label("b", 3))
    assert sorted(group[0] for group in chosen) == ["a", "b"]


def test_a_label_of_a_single_group_is_trained_on():
    assert choose_groups(of_label("a", 1)) == set()


def test_a_group_counts_once_however_many_recordings_it_has():
    assert len(choose_groups(of_label("a", 20) * 50)) == 3


def test_recordings_without_a_label_are_held_out_like_those_of_one():
    assert len(choose_groups([(str(number), ()) for number in range(20)])) == 3


def test_the_choice_depends_on_neither_order_nor_machine():
    recordings = of_label("a", 10)
    Random(0).shuffle(recordings)
    assert choose_groups(recordings) == {"a7", "a9"}  # the first two in the order of sha256sum
