import pytest

from ast_edge.fleet.pointer import Pointer
from ast_edge.fleet.record import Record, Seen, Settled, Shelf

FIRST = Pointer(1, "https://h/a", "aa" * 32, 10)
SECOND = Pointer(2, "https://h/b", "bb" * 32, 10)


def test_what_is_kept_is_read_again():
    record = Record("home", SECOND, FIRST, "running", seen={"all": Seen(2, "x")})
    record = record.settle(FIRST, Settled("failed", "why"))
    Shelf("attic").write(record)
    assert Shelf("attic").read() == record


def test_without_a_file_nothing_is_remembered():
    assert Shelf("attic").read() == Record()


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b"{}", b'{"format": 99}', b"[" * 100_000])
def test_a_damaged_record_is_an_empty_one(text, caplog):
    shelf = Shelf("attic")
    shelf.write(Record("home", FIRST))
    (shelf.folder / "record.json").write_bytes(text)
    assert shelf.read() == Record()
    assert "cannot be used" in caplog.text


def test_going_back_uses_what_was_used_before():
    back = Record("home", SECOND, FIRST, "running").back()
    assert (back.current, back.previous, back.probation) == (FIRST, None, "")


def test_a_bundle_in_which_the_process_ended_once_may_be_tried_again():
    assert SECOND.digest not in Record("home", SECOND, FIRST, "running").after_death().settled


def test_a_bundle_in_which_the_process_ended_twice_is_not():
    record = Record("home", SECOND, FIRST, "running")
    for _ in range(2):
        died = record.after_death()
        record = Record("home", SECOND, FIRST, "running", deaths=died.deaths)
    assert died.settled[SECOND.digest].state == "failed"


def test_bundles_that_nobody_would_go_back_to_are_removed():
    shelf = Shelf("attic")
    for pointer in (FIRST, SECOND):
        shelf.bundle(pointer).mkdir(parents=True)
        shelf.downloads(pointer).mkdir(parents=True)
    shelf.tidy({SECOND.sha256})
    assert not shelf.bundle(FIRST).exists()
    assert not shelf.downloads(FIRST).exists()
    assert shelf.bundle(SECOND).is_dir()
