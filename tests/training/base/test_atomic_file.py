import resource

import pytest

from ast_training.base.atomic_file import atomic_file
from ast_training.base.errors import TrainingError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "file.txt"


def test_what_is_written_is_there_at_the_end(path):
    with atomic_file(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"


def stop_half_way(path):
    with atomic_file(path) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt


def test_nothing_is_left_when_writing_stops(path):
    with pytest.raises(KeyboardInterrupt):
        stop_half_way(path)
    assert list(path.parent.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(path):
    path.parent.mkdir()
    path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with (
            pytest.raises(TrainingError, match=r"file\.txt: cannot be written"),
            atomic_file(path) as partial,
        ):
            partial.write_bytes(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
