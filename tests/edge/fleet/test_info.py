import json
from dataclasses import replace

import pytest
from rigs.broker.fleet import info
from rigs.broker.payloads import check

from ast_edge.fleet.info import InfoSpeaker, parse_info, started_at, this_device
from ast_edge.mqtt.topics import Topics

ATTIC = info("attic")


def test_what_is_said_follows_its_schema():
    check("info", ATTIC.payload)


def test_what_is_said_is_understood():
    assert parse_info(ATTIC.payload.encode()) == replace(
        ATTIC, bundles=list(ATTIC.bundles), labels=list(ATTIC.labels)
    )


def test_a_key_that_came_later_is_no_fault():
    tree = json.loads(ATTIC.payload) | {"novelty": 1}
    assert parse_info(json.dumps(tree).encode()) is not None


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"online", b"\xff", b"[]", b"{}", b"null", b"[" * 100_000, b'{"schema": 1}'),
        ATTIC.payload.replace('"schema": 1', '"schema": 2').encode(),
        ATTIC.payload.replace('"sources": {', '"sources": {"x": 3, ').encode(),
    ],
)
def test_what_is_no_information_is_not_understood(payload):
    assert parse_info(payload) is None


def test_a_clock_that_drifts_says_the_same_moment():
    assert started_at(1700000000.2) == started_at(1700000000.4) == "2023-11-14T22:13:20.000Z"


def test_the_device_has_a_name_that_can_be_shown():
    assert this_device().isprintable()


def test_it_is_said_at_every_connection_and_retained():
    (message,) = InfoSpeaker(Topics("ast-edge", "attic"), ATTIC).greet()
    assert (message.topic, message.retain) == ("ast-edge/attic/info", True)
