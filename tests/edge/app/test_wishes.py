from dataclasses import replace

import pytest

from ast_edge.app.config import Config
from ast_edge.app.wishes import share_wishes
from ast_edge.base.errors import ConfigError
from ast_edge.model.bundle import load_bundle


@pytest.fixture
def bundles(tiny_model, other_model):
    return [load_bundle(tiny_model), load_bundle(other_model)]


@pytest.fixture
def share(bundles):
    """Share out wishes between "bands" (Hum, Hiss) and "other" (Buzz, Hum)."""

    def share(count=2, **sections):
        tree = {"sources": {"a": {"microphone": "x"}}} | sections
        return share_wishes(Config.model_validate(tree), bundles[:count])

    return share


@pytest.fixture
def problem(share):
    def problem(**sections):
        with pytest.raises(ConfigError) as caught:
            share(**sections)
        return str(caught.value)

    return problem


def test_a_single_bundle_gets_everything_as_it_stands(share):
    (wishes,) = share(1, labels={"Nothing": None}, groups={"Tone": ["Hum", "Nil"]})
    assert list(wishes.labels) == ["Nothing"]
    assert wishes.groups["Tone"].members == ["Hum", "Nil"]
    assert wishes.lacking == ()


def test_without_labels_and_groups_everything_is_wished(share):
    assert [wishes.everything for wishes in share()] == [True, True]
    assert [wishes.everything for wishes in share(labels=["Hum"])] == [False, False]


def test_each_bundle_gets_the_labels_that_it_has_and_the_others_are_named(share):
    bands, other = share(labels={"Hum": {"on": 0.8}, "hiss": None, "Buzz": None})
    assert (list(bands.labels), bands.lacking) == (["Hum", "hiss"], ("Buzz",))
    assert (list(other.labels), other.lacking) == (["Hum", "Buzz"], ("hiss",))
    assert other.labels["Hum"].on == 0.8


def test_a_label_that_no_bundle_has_is_refused_with_the_nearest(problem):
    found = problem(labels=["Bazz", "Hum"])
    assert found == "labels.Bazz: 'Bazz' is not a label of 'bands' or 'other', did you mean 'Buzz'?"


def test_a_bundle_that_has_nothing_of_all_is_refused(problem):
    assert problem(labels=["Hiss"]).startswith("labels: 'other' has none of the labels and groups")


def test_a_group_has_the_members_that_each_bundle_has(share):
    bands, other = share(groups={"Tone": {"members": ["Hiss", "Hum"], "without": ["Buzz"]}})
    assert (bands.groups["Tone"].members, bands.lacking) == (["Hiss", "Hum"], ("Buzz",))
    assert (other.groups["Tone"].members, other.lacking) == (["Hum"], ("Hiss",))


def test_a_group_of_which_all_must_sound_needs_all_members(share):
    section = {"members": ["Hiss", "Hum"], "score": "min"}
    bands, other = share(groups={"Both": section}, labels=["Hum"])
    assert "Both" in bands.groups
    assert (dict(other.groups), other.lacking) == ({}, ("Hiss", "Both"))


def test_a_group_that_no_bundle_can_have_is_refused(problem):
    section = {"members": ["Hiss", "Buzz"], "score": "min"}
    found = problem(groups={"Both": section}, labels=["Hum"])
    assert found == "groups.Both: none of 'bands' and 'other' has all members of it"


def test_an_unknown_member_is_refused_with_the_nearest(problem):
    found = problem(groups={"Tone": ["Hum", "Hisss"]})
    assert found == (
        "groups.Tone: 'Hisss' is not a label of 'bands' or 'other', did you mean 'Hiss'?"
    )


def test_a_sound_that_a_bundle_cannot_hear_suppresses_nothing_there(share):
    bands, other = share(labels={"Hum": {"suppress_while": ["Buzz", "Hiss"]}})
    assert bands.labels["Hum"].suppress_while == ["Hiss"]
    assert other.labels["Hum"].suppress_while == ["Buzz"]


def test_an_unknown_name_in_a_rule_is_refused_with_the_nearest(problem):
    found = problem(labels={"Hum": {"suppress_while": "Tune"}}, groups={"Tone": ["Hum"]})
    assert found == (
        "labels.Hum.suppress_while: 'Tune' is not a label of 'bands' or 'other' or a group, "
        "did you mean 'Tone'?"
    )


def test_a_group_of_kinds_is_there_where_the_bundle_has_such_sounds(bundles):
    (hum, hiss), other = bundles[0].labels, bundles[1]
    dog = replace(bundles[0], labels=(hum, replace(hiss, mid="/m/0bt9lr")))
    tree = {"sources": {"a": {"microphone": "x"}}, "groups": {"Dog": "ontology"}, "labels": ["Hum"]}
    first, second = share_wishes(Config.model_validate(tree), [dog, other])
    assert (list(first.groups), first.lacking) == (["Dog"], ())
    assert (list(second.groups), second.lacking) == ([], ("Dog",))
