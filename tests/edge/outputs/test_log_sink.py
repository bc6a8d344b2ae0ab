import logging
from datetime import datetime

import pytest

from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.outputs.log_sink import LogSink


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("start", "hall: Dog since {} (0.75)"),
        ("update", None),
        ("end", "hall: Dog is over, {} for 2.5 s (peak 0.90)"),
    ],
)
def test_the_start_and_the_end_of_an_event_are_lines(phase, expected, caplog):
    event = Event("id", phase, "hall", Label(0, "Dog", ""), 0.0, 2.5, 0.75, 0.9, "home")
    with caplog.at_level(logging.INFO, "ast_edge"):
        LogSink().publish(event)
    LogSink().close()
    midnight = datetime.fromtimestamp(0.0).strftime("%H:%M:%S")  # of 1970, local
    assert caplog.messages == ([expected.format(midnight)] if expected else [])
