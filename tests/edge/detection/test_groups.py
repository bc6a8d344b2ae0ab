import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.base.errors import ConfigError
from ast_edge.detection.config import GroupConfig
from ast_edge.detection.groups import Group, find_groups, with_groups
from ast_edge.detection.tracker import EventTracker, Step
from ast_edge.model.bundle import find_bundle, load_bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings

DOG, CAT = Label(0, "Dog", "/m/0bt9lr"), Label(1, "Cat", "/m/01yrx")


def group(score="max", members=(DOG, CAT)):
    return Group(2, "Pet", "", members, score)


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(find_bundle("home"))


@pytest.fixture
def members(bundle):
    """Return the names of a group's members."""

    def members(**section):
        (found,) = find_groups({"Any": GroupConfig(**section)}, bundle)
        return [label.name for label in found.members]

    return members


@pytest.fixture
def problem(bundle):
    def problem(**sections):
        with pytest.raises(ConfigError) as caught:
            find_groups(
                {name: GroupConfig(**section) for name, section in sections.items()}, bundle
            )
        return str(caught.value)

    return problem


def test_a_group_has_the_labels_under_a_kind_of_sound_in_the_order_of_the_bundle(members):
    assert members(ontology=["Respiratory sounds"]) == [
        "Snoring",
        "Cough",
        "Throat clearing",
        "Sneeze",
    ]


def test_a_group_has_named_labels_too_and_none_twice(members):
    found = members(ontology=["Domestic animals, pets"], members=["music", "Dog"])
    assert found == ["Dog", "Cat", "Music"]


def test_a_group_has_the_labels_under_several_kinds(members):
    assert members(ontology=["Dog", "Sneeze", "Whip"]) == ["Sneeze", "Dog"]


def test_excluded_labels_are_no_members(members):
    assert members(ontology=["Alarm"], without=["Telephone", "Doorbell"]) == [
        "Vehicle horn, car horn, honking",
        "Alarm clock",
        "Siren",
        "Smoke detector, smoke alarm",
        "Fire alarm",
    ]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"members": ["Dgo"]}, "'Dgo' is not a label of 'home', did you mean 'Dog'?"),
        ({"ontology": ["Alarn"]}, "AudioSet's ontology has no 'Alarn', did you mean 'Alarm'?"),
        ({"ontology": ["Dog"], "without": ["Dgo"]}, "'Dgo' is not a label of 'home', did you"),
        ({"ontology": ["Whip", "Sheep"]}, "'home' has no label under 'Whip' or 'Sheep'; name"),
        ({"members": ["Dog"], "without": ["Dog"]}, "`without` leaves no member"),
    ],
)
def test_a_group_that_cannot_be_is_refused(problem, section, message):
    found = problem(Any=section)
    assert found.startswith("groups.Any: ")
    assert message in found


def test_a_second_group_with_the_same_topic_is_refused(problem):
    found = problem(**{"Any dog": {"ontology": ["Dog"]}, "any-dog": {"members": ["Dog"]}})
    assert found == "groups.any-dog: has the same topic as the group 'Any dog'"


@pytest.mark.parametrize("name", ["🐕", "Set"])
def test_a_name_that_makes_no_topic_is_refused(problem, name):
    assert "no topic can be made" in problem(**{name: {"ontology": ["Dog"]}})


def test_the_columns_of_groups_follow_the_bundles(bundle):
    configs = {name: GroupConfig(members=["Dog"]) for name in ("A", "B")}
    count = len(bundle.labels)
    assert [found.index for found in find_groups(configs, bundle)] == [count, count + 1]


@pytest.mark.parametrize(("score", "expected"), [("max", 0.5), ("min", 0.2), ("noisy-or", 0.6)])
def test_a_groups_probability_is_made_of_its_members(score, expected):
    assert group(score).combine([0.5, 0.2]) == pytest.approx(expected)


PROBABILITIES = st.lists(st.floats(0, 1, width=32), min_size=2, max_size=2)


@given(PROBABILITIES)
def test_a_groups_probability_is_one(probabilities):
    low, high, either = (group(s).combine(probabilities) for s in ("min", "max", "noisy-or"))
    assert 0 <= low <= high <= either + 1e-9 <= 1 + 2e-9


@pytest.mark.parametrize("score", ["max", "min", "noisy-or"])
@given(probability=st.floats(0, 1, width=32))
def test_a_group_of_one_is_as_probable_as_it(score, probability):
    assert group(score, (DOG,)).combine([probability]) == pytest.approx(probability, abs=1e-9)


def test_groups_are_appended_to_the_models_probabilities():
    other = Group(3, "Dogs", "", (DOG,), "max")
    extended = with_groups(np.array([0.25, 0.75], np.float32), [group("min"), other])
    assert (extended.tolist(), extended.dtype) == ([0.25, 0.75, 0.25, 0.25], np.float32)


def test_a_group_of_one_has_its_settings():
    settings = TrackerSettings(on=0.7, off=0.2, min_duration=1, hold=2, cooldown=3)
    assert group(members=(DOG,)).default_settings({DOG: settings}) == settings


def test_off_of_a_group_is_its_probability_when_all_members_are_at_theirs():
    settings = {DOG: TrackerSettings(on=0.8, off=0.2), CAT: TrackerSettings(on=0.9, off=0.4)}
    offs = [group(s).default_settings(settings).off for s in ("max", "min", "noisy-or")]
    assert offs == [0.4, 0.2, 0.52]


def test_off_of_a_group_is_never_above_its_on():
    settings = {DOG: TrackerSettings(on=0.3, off=0.1), CAT: TrackerSettings(on=0.9, off=0.4)}
    default = group().default_settings(settings)
    assert (default.on, default.off) == (0.3, 0.3)


SCORES = st.lists(st.tuples(*[st.sampled_from([0.0, 0.2, 0.35, 0.5, 0.7, 0.9])] * 2), max_size=40)
SETTINGS = st.builds(
    TrackerSettings,
    on=st.sampled_from([0.5, 0.7, 0.9]),
    off=st.sampled_from([0.1, 0.3, 0.5]),
    hold=st.sampled_from([0.0, 0.5, 2.0]),
)


@given(SCORES, SETTINGS, SETTINGS, st.sampled_from(["max", "noisy-or"]))
def test_when_a_member_begins_its_group_is_on_unless_the_user_says_otherwise(
    scores, dog, cat, score
):
    pet, settings = group(score), {DOG: dog, CAT: cat}
    followed = {**settings, pet: pet.default_settings(settings)}
    tracker = EventTracker("mic", followed, lambda: "x")
    on = set()
    for number, probabilities in enumerate(scores):
        now = number * 0.5
        extended = with_groups(np.array(probabilities, np.float32), [pet])
        events = tracker.feed(Step(now - 0.5, now - 0.5, now, extended))
        on |= {event.label for event in events if event.phase == "start"}
        on -= {event.label for event in events if event.phase == "end"}
        if any(event.phase == "start" for event in events):
            assert pet in on
