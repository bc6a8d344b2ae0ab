from ast_edge.detection.event import Event
from ast_edge.model.label import Label


def test_the_duration_of_an_event_is_from_onset_to_offset():
    assert (
        Event("id", "end", "hall", Label(0, "Dog", ""), 1.5, 4.0, 0.1, 0.9, "home").duration == 2.5
    )
