"""When a recording was made is told by its name or by a file beside it."""

import json
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

from ast_edge.archive.wall_time import read_local, started_at

BERLIN = ZoneInfo("Europe/Berlin")


def told(name, zone=timezone.utc):
    found = started_at(f"/nowhere/{name}", zone, read_local)
    return found and datetime.fromtimestamp(found, timezone.utc).isoformat()


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("20240601_053000.WAV", "2024-06-01T05:30:00+00:00"),
        ("SITE-7_20240601_053000.wav", "2024-06-01T05:30:00+00:00"),
        ("2MU02024_20240601_053000_extra.wav", "2024-06-01T05:30:00+00:00"),
        ("2024-06-01T05-30-00Z.flac", "2024-06-01T05:30:00+00:00"),
        ("2024-06-01 05.30.00.flac", "2024-06-01T05:30:00+00:00"),
        ("20240601T053000+0200.wav", "2024-06-01T03:30:00+00:00"),
        ("2024-06-01_05-30-00.250.wav", "2024-06-01T05:30:00.250000+00:00"),
        ("5E90A4D4.WAV", "2020-04-10T16:54:44+00:00"),
        ("20241301_053000.wav", None),
        ("20240601.wav", None),
        ("12345678.wav", None),
        ("120240601_0530001.wav", None),
        ("dog.wav", None),
    ],
)
def test_a_name_tells_it(name, time):
    assert told(name) == time


def test_a_time_without_a_zone_is_in_the_one_that_is_given():
    assert told("20240601_053000.wav", BERLIN) == "2024-06-01T03:30:00+00:00"
    assert told("20240601T053000Z.wav", BERLIN) == "2024-06-01T05:30:00+00:00"


@pytest.mark.parametrize("beside", ["20240601_053000.wav.json", "20240601_053000.json"])
@pytest.mark.parametrize("value", ["2023-01-02T03:04:05Z", 1672628645, "2023-01-02T03:04:05+00:00"])
def test_a_file_beside_it_goes_before_the_name(beside, value, tmp_path):
    (tmp_path / beside).write_text(json.dumps({"started_at": value}))
    assert started_at(f"{tmp_path}/20240601_053000.wav", timezone.utc, read_local) == 1672628645


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"started_at": "soon"}', '{"started_at": true}']
)
def test_a_file_beside_it_that_tells_nothing_is_passed_over(content, tmp_path):
    (tmp_path / "20240601_053000.json").write_text(content)
    assert started_at(f"{tmp_path}/20240601_053000.wav", timezone.utc, read_local) == 1717219800
