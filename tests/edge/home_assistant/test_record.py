import pytest

from ast_edge.home_assistant.record import Published, load_published, save_published

SAMPLE = Published({"homeassistant/device/x/config": {"event": "event"}}, ("a/state", "b/state"))


def test_what_was_saved_is_loaded(tmp_path):
    save_published(tmp_path / "folder" / "published.json", SAMPLE)
    assert load_published(tmp_path / "folder" / "published.json") == SAMPLE


def test_without_a_record_nothing_was_published(tmp_path):
    assert load_published(tmp_path / "published.json") == Published()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\xff", b"[]", b"{}", b'{"format": 2}', b"[" * 100_000),
        b'{"format": 1, "configs": [], "topics": []}',
        b'{"format": 1, "configs": {"config": {}}, "topics": []}',
    ],
)
def test_a_damaged_record_is_said_and_taken_for_none(tmp_path, content, caplog):
    path = tmp_path / "published.json"
    path.write_bytes(content)
    assert load_published(path) == Published()
    assert f"{path}: cannot be used" in caplog.text


def test_a_record_that_cannot_be_written_is_said_and_the_old_one_stays(tmp_path, caplog):
    path = tmp_path / "published.json"
    save_published(path, SAMPLE)
    (tmp_path / "published.json.partial").mkdir()
    save_published(path, Published())
    assert load_published(path) == SAMPLE
    assert f"{path}: cannot be written" in caplog.text


def test_a_union_has_what_either_has():
    other = Published({"homeassistant/device/x/config": {"level": "sensor"}}, ("b/state", "c"))
    assert SAMPLE | other == Published(
        {"homeassistant/device/x/config": {"level": "sensor", "event": "event"}},
        ("a/state", "b/state", "c"),
    )
