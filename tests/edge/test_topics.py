from ast_edge.events import Label
from ast_edge.topics import Topics

TOPICS = Topics("home/ast-edge", "attic")
LABEL = Label(3, "Baby cry, infant cry", "/t/dd00002")


def test_availability_belongs_to_the_node():
    assert TOPICS.availability == "home/ast-edge/attic/availability"


def test_a_state_has_the_label_as_a_slug():
    expected = "home/ast-edge/attic/kitchen/baby_cry_infant_cry/state"
    assert TOPICS.state("kitchen", LABEL) == expected


def test_events_of_a_source_share_a_topic():
    assert TOPICS.event("kitchen") == "home/ast-edge/attic/kitchen/event"
