import pytest

from ast_edge.base.errors import ConfigError
from ast_training.data.targets import Targets

DOG, BARK, SPEECH = "/m/0bt9lr", "/m/05tny_", "/m/09x0r"


@pytest.fixture
def targets():
    return Targets({"Dog": DOG, "Bark": BARK, "Own doorbell": "/x/1"})


def test_a_sound_is_heard_as_all_that_it_is_a_kind_of(targets):
    assert targets.heard(["Bark"]) == (0, 1)
    assert targets.heard(["Dog"]) == (0,)


def test_a_label_of_ones_own_is_itself_alone(targets):
    assert targets.heard(["Own doorbell"]) == (2,)
    assert targets.open(["Own doorbell"]) == ()


def test_what_the_recipe_does_not_have_is_heard_as_nothing(targets):
    assert targets.heard(["Speech"]) == ()


def test_a_label_of_the_recipe_comes_before_audiosets_of_that_name():
    assert Targets({"Dog": SPEECH}).heard(["Dog"]) == (0,)


def test_kinds_of_what_is_named_are_open_unless_they_are_named(targets):
    assert targets.open(["Dog"]) == (1,)
    assert targets.open(["Dog", "Bark"]) == ()


def test_what_stands_under_several_kinds_is_none_of_them_for_certain():
    kinds = Targets({"Animal": "/m/0jbk", "Dog": DOG, "Cat": "/m/01yrx", "Bark": BARK})

    assert kinds.heard(["Growling"]) == (0,)
    assert kinds.open(["Growling"]) == (1, 2)


def test_a_growl_that_is_a_dogs_is_no_cats():
    kinds = Targets({"Animal": "/m/0jbk", "Dog": DOG, "Cat": "/m/01yrx", "Bark": BARK})

    assert kinds.heard(["Growling", "Dog"]) == (0, 1)
    assert kinds.open(["Growling", "Dog"]) == (3,)


def test_a_bell_is_not_heard_as_music():
    kinds = Targets({"Music": "/m/04rlf", "Bell": "/m/0395lw", "Church bell": "/m/03w41f"})

    assert kinds.heard(["Church bell"]) == (1, 2)
    assert kinds.open(["Church bell"]) == ()
    assert kinds.open(["Music"]) == ()


def test_an_unknown_name_is_refused(targets):
    assert not targets.knows("Dogg")
    with pytest.raises(ConfigError, match="'Dogg' is none of the labels"):
        targets.heard(["Dogg"])
