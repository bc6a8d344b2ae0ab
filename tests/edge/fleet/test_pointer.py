import json

import pytest
from rigs.broker.payloads import check

from ast_edge.fleet.pointer import Pointer, PointerRefused, is_at_least, parse_pointer

URL = "https://models.example.org/ast/home-2"
POINTER = Pointer(7, URL, "ab" * 32, 1000)


def changed(**changes):
    return json.dumps(json.loads(POINTER.payload) | changes).encode()


@pytest.mark.parametrize(
    "pointer", [POINTER, Pointer(1, URL, "ab" * 32, 9, "1.4", "home 2", drop_labels=True)]
)
def test_a_pointer_is_understood_and_follows_its_schema(pointer):
    check("desired", pointer.payload)
    assert parse_pointer(pointer.payload.encode()) == pointer


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"nonsense", "expected JSON"),
        (b"\xff", "expected JSON"),
        (b"[" * 4000, "expected JSON"),
        (b"[]", "an object of schema 1"),
        (b" " * 5000, "at most 4096 bytes"),
        (changed(schema=2), "schema 1"),
        (changed(serial=0), "serial: expected a number from 1, got 0"),
        (changed(serial=True), "serial"),
        (changed(serial="7"), "serial"),
        (changed(serial=2**60), "serial"),
        (changed(sha256="AB" * 32), "sha256"),
        (changed(sha256="ab"), "sha256"),
        (changed(size=0), "size"),
        (changed(size=2**50), "size"),
        (changed(size=1.5), "size"),
        (changed(url="file:///etc/passwd"), "url: expected https"),
        (changed(url="https://h/a?b=c"), "url: expected https"),
        (changed(url=3), "url"),
        (changed(min_version="soon"), "min_version"),
        (changed(name="x" * 65), "name"),
        (changed(name="a\nb"), "name"),
        (changed(drop_labels=1), "drop_labels"),
        (changed(min_verison="1.0"), "unknown key 'min_verison'"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_reason(payload, reason):
    with pytest.raises(PointerRefused, match=reason):
        parse_pointer(payload)


@pytest.mark.parametrize("key", ["serial", "url", "sha256", "size"])
def test_what_is_needed_is_named(key):
    tree = json.loads(POINTER.payload)
    del tree[key]
    with pytest.raises(PointerRefused, match=f"lacks '{key}'"):
        parse_pointer(json.dumps(tree).encode())


def test_two_pointers_that_say_something_else_have_another_digest():
    digests = {parse_pointer(changed(**c)).digest for c in ({}, {"serial": 8}, {"name": "x"})}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("version", "wanted", "enough"),
    [
        ("1.4.0", "1.4", True),
        ("1.4", "1.4.0", True),
        ("1.10.0", "1.9.9", True),
        ("1.4.0", "1.4.1", False),
        ("0.9.0", "1", False),
        ("2.0.0.dev1", "2.0", True),
        ("1.0", "", True),
    ],
)
def test_a_version_is_compared_by_its_numbers(version, wanted, enough):
    assert is_at_least(version, wanted) is enough
