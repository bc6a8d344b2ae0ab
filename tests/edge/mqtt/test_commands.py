import random

import pytest

from ast_edge.model.label import Label
from ast_edge.mqtt.commands import Command, CommandParser, CommandRefused
from ast_edge.mqtt.topics import Topics

DOG, CAT = Label(0, "Dog", "/m/0bt9lr"), Label(1, "Cat", "/m/01yrx")
TOPICS = Topics("ast-edge", "attic")
PARSER = CommandParser(TOPICS, {s: {"dog": DOG, "cat": CAT} for s in ("kitchen", "hall")})


def refusal(topic, payload):
    with pytest.raises(CommandRefused) as caught:
        PARSER.parse(topic, payload)
    return str(caught.value)


@pytest.mark.parametrize(
    ("topic", "payload", "command"),
    [
        (TOPICS.command("kitchen", "enabled"), b"OFF", Command("kitchen", "enabled", 0.0)),
        (TOPICS.command("hall", "enabled"), b"ON", Command("hall", "enabled", 1.0)),
        (TOPICS.command("kitchen", "snooze"), b"30", Command("kitchen", "snooze", 30.0)),
        (TOPICS.command("kitchen", "restart"), b"PRESS", Command("kitchen", "restart", 1.0)),
        (TOPICS.command("kitchen", "enabled", DOG), b"ON", Command("kitchen", "enabled", 1.0, DOG)),
        (TOPICS.command("kitchen", "on", CAT), b" 0.75\n", Command("kitchen", "on", 0.75, CAT)),
        (TOPICS.command("kitchen", "off", CAT), b"1e-1", Command("kitchen", "off", 0.1, CAT)),
    ],
)
def test_understands_what_the_topics_promise(topic, payload, command):
    assert PARSER.parse(topic, payload) == command


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("ast-edge/attic/kitchn/set/enabled", b"ON", "no source 'kitchn', did you mean 'kitchen'?"),
        ("ast-edge/attic/kitchen/set/dgo/on", b"0.5", "no label 'dgo', did you mean 'dog'?"),
        (
            "ast-edge/attic/kitchen/set/dog/snooze",
            b"1",
            "no setting 'snooze': expected enabled, on",
        ),
        (
            "ast-edge/attic/kitchen/set/volume",
            b"1",
            "no setting 'volume': expected enabled, snooze",
        ),
        ("ast-edge/attic/kitchen/set", b"1", "is no topic for commands"),
        ("ast-edge/cellar/kitchen/set/enabled", b"ON", "is no topic for commands"),
        ("ast-edge/attic/kitchen/set/enabled", b"on", "enabled: expected ON or OFF, got 'on'"),
        ("ast-edge/attic/kitchen/set/restart", b"now", "restart: expected PRESS, got 'now'"),
        ("ast-edge/attic/kitchen/set/snooze", b"1441", "snooze: expected a number from 0 to 1440"),
        ("ast-edge/attic/kitchen/set/dog/on", b"1.01", "on: expected a number from 0 to 1, got"),
        ("ast-edge/attic/kitchen/set/dog/on", b"nan", "on: expected a number"),
        ("ast-edge/attic/kitchen/set/dog/on", b"-0.1", "on: expected a number"),
        ("ast-edge/attic/kitchen/set/dog/on", b"0_1", "on: expected a number"),
        ("ast-edge/attic/kitchen/set/dog/on", b"", "on: expected a number"),
        ("ast-edge/attic/kitchen/set/dog/on", b"\xff", "expected plain text"),
        ("ast-edge/attic/kitchen/set/dog/on", b"0" * 33, "expected at most 32 bytes, got 33"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(topic, payload, reason):
    assert reason in refusal(topic, payload)


def malformed(rng):
    """Return a topic for a command and a payload that no command has."""
    topic = rng.choice(
        [
            TOPICS.command("kitchen", rng.choice(["enabled", "snooze", "restart"])),
            TOPICS.command("kitchen", rng.choice(["enabled", "on", "off"]), rng.choice([DOG, CAT])),
            f"ast-edge/attic/{rng.randbytes(4).hex()}/set/enabled",
            "ast-edge/attic/kitchen/set/" + "/" * rng.randrange(5),
        ]
    )
    payload = rng.choice(
        [
            b"\xfe" + rng.randbytes(rng.randrange(64)),
            bytes(100_000),
            b"[" * rng.randrange(1, 50_000),
            b'{"value": %d}' % rng.randrange(10),
            b"-%d" % rng.randrange(1, 10**6),
            b"%de%d" % (rng.randrange(1, 9), rng.randrange(4, 400)),
            rng.choice([b"true", b"null", b"inf", b"nan", b"0x1", b"on", b"1,5"]),
        ]
    )
    return topic, payload


def test_ten_thousand_malformed_commands_are_all_refused():
    rng = random.Random(5)
    for _ in range(10_000):
        assert len(refusal(*malformed(rng))) < 300


def test_a_label_that_only_another_source_has_is_refused_with_the_reason():
    parser = CommandParser(TOPICS, {"kitchen": {"dog": DOG}, "hall": {"cat": CAT}})
    assert parser.parse("ast-edge/attic/hall/set/cat/on", b"0.5").label == CAT
    with pytest.raises(CommandRefused) as caught:
        parser.parse("ast-edge/attic/kitchen/set/cat/on", b"0.5")
    assert str(caught.value) == "no label 'cat' at 'kitchen': its bundle does not hear that"
