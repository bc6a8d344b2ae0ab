"""Bundles with own labels: whole or as they were."""

import os
import shutil

import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.full_disk import files_end_at
from rigs.own import write_own

from ast_edge.base.errors import BundleError
from ast_edge.enrolment.derived import own_labels, write_derived
from ast_edge.model.bundle import load_bundle


@pytest.fixture
def mine(embedding_model, tmp_path):
    """A bundle with two own labels."""
    return load_bundle(write_own(embedding_model, tmp_path / "mine"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_labels_that_are_written_as_they_were_change_nothing(mine):
    before = load_bundle(mine.folder)
    write_derived(mine, mine.folder, own_labels(mine))
    after = load_bundle(mine.folder)
    assert (after.own, after.heads, after.settings) == (before.own, before.heads, before.settings)


def test_a_label_that_goes_takes_its_head_along(mine):
    write_derived(mine, mine.folder, own_labels(mine)[1:])
    after = load_bundle(mine.folder)
    assert [label.name for label in after.own] == ["Whistle"]
    assert (after.heads.clip == mine.heads.clip[1:]).all()


def test_a_full_disk_leaves_the_bundle_as_it_was_and_nothing_beside_it(mine, tmp_path):
    before = contents(mine.folder)
    with files_end_at(500), pytest.raises(BundleError, match="cannot be written: File too large"):
        write_derived(mine, mine.folder, own_labels(mine)[1:])
    assert contents(mine.folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_place_that_may_not_be_written_is_named(mine, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BundleError, match=r"file/new: cannot be written: (Not a d|File ex)"):
        write_derived(mine, tmp_path / "file" / "new", own_labels(mine))


def test_a_bundle_that_is_derived_is_called_as_its_folder_and_all_can_read_it(mine, tmp_path):
    before = os.umask(0o077)
    try:
        derived = write_derived(mine, tmp_path / "kitchen", own_labels(mine))
    finally:
        os.umask(before)
    assert derived.name == "kitchen"
    assert oct(derived.folder.stat().st_mode & 0o777) == "0o755"
    assert {oct(path.stat().st_mode & 0o777) for path in derived.folder.iterdir()} == {"0o644"}


def test_what_is_derived_stays_when_its_base_is_written_over(mine, tmp_path):
    derived = write_derived(mine, tmp_path / "kitchen", own_labels(mine))
    mine.onnx.write_bytes(b"a newer graph")
    assert load_bundle(derived.folder) == derived


def test_what_is_derived_outlives_what_it_was_derived_from(mine, tmp_path):
    derived = write_derived(mine, tmp_path / "kitchen", own_labels(mine))
    shutil.rmtree(mine.folder)
    assert load_bundle(derived.folder) == derived
