from ast_edge.model.label import Label
from ast_edge.mqtt.topics import Topics

TOPICS = Topics("home/ast-edge", "attic")
LABEL = Label(3, "Baby cry, infant cry", "/t/dd00002")


def test_availability_belongs_to_the_node():
    assert TOPICS.availability == "home/ast-edge/attic/availability"


def test_every_source_has_an_availability_of_its_own():
    assert TOPICS.source_availability("kitchen") == "home/ast-edge/attic/kitchen/availability"


def test_a_state_has_the_label_as_a_slug():
    expected = "home/ast-edge/attic/kitchen/baby_cry_infant_cry/state"
    assert TOPICS.state("kitchen", LABEL) == expected


def test_events_of_a_source_share_a_topic():
    assert TOPICS.event("kitchen") == "home/ast-edge/attic/kitchen/event"


def test_a_command_stands_below_set_and_its_setting_does_not():
    root = "home/ast-edge/attic/kitchen"
    assert TOPICS.command("kitchen", "enabled") == f"{root}/set/enabled"
    assert TOPICS.setting("kitchen", "enabled") == f"{root}/enabled"
    assert TOPICS.command("kitchen", "on", LABEL) == f"{root}/set/baby_cry_infant_cry/on"
    assert TOPICS.setting("kitchen", "on", LABEL) == f"{root}/baby_cry_infant_cry/on"


def test_no_two_things_share_a_topic():
    retained = list(TOPICS.retained("kitchen", [LABEL, Label(1, "Dog", "")]))
    others = [TOPICS.event("kitchen"), TOPICS.level("kitchen"), TOPICS.rejected("kitchen")]
    assert len({*retained, *others}) == len(retained) + len(others)
