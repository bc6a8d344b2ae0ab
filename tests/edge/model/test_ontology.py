import csv
from pathlib import Path

import pytest

from ast_edge.base.errors import ConfigError
from ast_edge.model.ontology import Kind, Ontology, load_ontology

LABELS = (
    Path(__file__).parents[3]
    / "training"
    / "ast_training"
    / "data"
    / "label_tables"
    / "audioset.csv"
)


@pytest.fixture(scope="module")
def ontology():
    return load_ontology()


def names_under(ontology, name):
    return {ontology.kinds[mid].name for mid in ontology.under(ontology.find(name))}


def test_every_label_of_audioset_is_in_it_under_its_name(ontology):
    with LABELS.open(newline="") as file:
        labels = [(row["mid"], row["display_name"]) for row in csv.DictReader(file)]
    assert len(labels) == 527
    assert [(mid, ontology.kinds[mid].name) for mid, _ in labels] == labels


def test_all_that_is_under_a_kind_is_in_it_too(ontology):
    assert {mid for node in ontology.kinds.values() for mid in node.children} <= set(ontology.kinds)


def names(ontology, mids):
    return {ontology.kinds[mid].name for mid in mids}


def test_above_a_kind_is_what_it_is_whichever_way_one_goes(ontology):
    bark, growl = ontology.find("Bark"), ontology.find("Growling")

    assert names(ontology, ontology.above(bark)) == {
        "Bark",
        "Dog",
        "Domestic animals, pets",
        "Animal",
    }
    assert names(ontology, ontology.above(growl)) == {"Growling", "Animal"}


def test_perhaps_above_a_kind_is_what_it_is_on_one_way_only(ontology):
    assert not ontology.perhaps_above(ontology.find("Bark"))
    assert names(ontology, ontology.perhaps_above(ontology.find("Growling"))) == {
        "Dog",
        "Domestic animals, pets",
        "Cat",
        "Roaring cats (lions, tigers)",
        "Canidae, dogs, wolves",
        "Wild animals",
    }


def test_under_a_kind_are_it_its_kinds_and_theirs(ontology):
    assert names_under(ontology, "Siren") == {
        "Siren",
        "Civil defense siren",
        "Police car (siren)",
        "Ambulance (siren)",
        "Fire engine, fire truck (siren)",
    }
    assert names_under(ontology, "Siren") < names_under(ontology, "Alarm")


def test_a_kind_can_be_under_several(ontology):
    assert "Doorbell" in names_under(ontology, "Door") & names_under(ontology, "Alarm")


@pytest.mark.parametrize("name", ["Domestic animals, pets", "domestic_animals_pets", "/m/068hy"])
def test_a_kind_is_found_by_name_slug_and_machine_id(ontology, name):
    assert ontology.find(name).mid == "/m/068hy"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Dgo", "AudioSet's ontology has no 'Dgo', did you mean 'Dog'?"),
        ("xqz", "no 'xqz'; its names are at research.google.com/audioset/ontology"),
    ],
)
def test_an_unknown_kind_is_refused_with_the_nearest_one(ontology, name, message):
    with pytest.raises(ConfigError) as caught:
        ontology.find(name)
    assert str(caught.value).endswith(message)


def test_a_circle_has_an_end():
    circle = Ontology({"a": Kind("a", "A", ("b",)), "b": Kind("b", "B", ("a",))})
    assert circle.under(circle.find("A")) == {"a", "b"}
