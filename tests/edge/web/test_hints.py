"""What the page advises while a source or the broker is not well."""

import json
import time
from dataclasses import replace
from importlib import resources
from types import SimpleNamespace

import pytest
from rigs.model import silence

from ast_edge.app.report import BrokerReport, SourceReport
from ast_edge.app.source_config import SourceConfig
from ast_edge.audio.level import Level
from ast_edge.monitoring.reading import SourceReading
from ast_edge.monitoring.remedies import REMEDIES
from ast_edge.web.hints import PATIENCE, hints

MICROPHONE = SourceConfig(microphone="USB")
URL = SourceConfig(url="rtsp://camera/live")
WELL = SourceReading("home", state="listening", level=Level(-30, -50), windows=1000)


def advice(reading, config=MICROPHONE, dropped=0, broker=None):
    source = SourceReport(reading, dropped, None, None, None, None)
    report = SimpleNamespace(sources={"hall": source}, broker=broker)
    return hints(report, {"hall": config})


def test_where_all_is_well_there_is_nothing_to_say():
    assert advice(WELL) == {}


@pytest.mark.parametrize(
    ("config", "changes", "what"),
    [
        (MICROPHONE, {"state": "muted"}, "zeros"),
        (MICROPHONE, {"state": "clipping"}, "clips"),
        (MICROPHONE, {"level": Level(-90, -90)}, "zeros"),
        (MICROPHONE, {"level": Level(-80, -85)}, "quiet"),
        (MICROPHONE, {"level": Level(0, -20)}, None),
        (MICROPHONE, {"state": "silent", "detail": "Device unavailable"}, "busy"),
        (MICROPHONE, {"state": "silent", "detail": "no such device"}, "absent"),
        (URL, {"state": "silent", "detail": "the device is busy"}, "unreachable"),
        (URL, {"level": Level(-90, -90)}, None),
        (SourceConfig(stdin="s16le", sample_rate=16_000), {"state": "failed"}, None),
    ],
)
def test_each_ailment_has_its_remedy(config, changes, what):
    assert advice(replace(WELL, **changes), config) == ({"hall": what} if what else {})


def test_a_source_may_take_a_while_to_begin():
    begun = time.monotonic()
    assert advice(SourceReading("home", heard_at=begun)) == {}
    assert advice(SourceReading("home", heard_at=begun - PATIENCE - 1)) == {"hall": "absent"}


def test_gain_makes_a_microphone_loud_enough():
    quiet = replace(WELL, level=Level(-80, -85))
    assert advice(quiet, MICROPHONE.model_copy(update={"gain_db": 10.0})) == {}


def test_an_engine_that_drops_windows_is_too_slow():
    assert advice(WELL, dropped=5) == {}
    assert advice(WELL, dropped=50) == {"hall": "slow"}


def test_a_broker_that_is_being_reached_for_the_first_time_is_not_advised_on():
    broker = BrokerReport("b:1883", False, "", 0, 0, 0)
    assert advice(WELL, broker=broker) == {}
    assert advice(WELL, broker=replace(broker, fault="refused")) == {"": "broker"}


def test_the_page_says_in_english_what_doctor_says():
    texts = (resources.files("ast_edge.web") / "static" / "en.js").read_text()
    lacking = [
        name for name, text in REMEDIES.items() if f"hint_{name}: {json.dumps(text)}" not in texts
    ]
    assert lacking == []


def test_hints_are_told_with_the_state(house, visitor):
    house.hall.pour(silence(1))
    assert visitor.get("api/state")["hints"] == {}
