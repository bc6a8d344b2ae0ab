"""The parts of an archive are the tables of one run."""

import shutil

import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")
import pyarrow
from rigs.archive import tables

from ast_edge.archive.errors import ArchiveError, ArchiveStorageError
from ast_edge.archive.tables.merge import merge, shards_of
from ast_edge.archive.tables.parquet import write_table
from ast_edge.archive.tables.schema import schema_of, table_of


def test_two_shards_merged_are_one_run_bit_for_bit(parts, whole, tmp_path):
    rows = merge(parts, tmp_path / "merged")
    assert tables(tmp_path / "merged") == tables(whole)
    assert rows == {"files": 4, "errors": 0, "events": 7}


def test_a_shard_that_is_not_done_is_named(parts, tmp_path):
    shutil.copytree(parts, tmp_path / "parts")
    (tmp_path / "parts" / "files-2-of-2.parquet").unlink()
    with pytest.raises(ArchiveError, match=r"1 of 2 shard\(s\) are not done: 2/2"):
        shards_of(tmp_path / "parts")


def test_the_folder_of_the_parts_is_no_place_for_the_whole(parts):
    with pytest.raises(ArchiveError, match="expected another folder"):
        merge(parts, parts)


def test_a_table_that_is_damaged_is_named(parts, tmp_path):
    shutil.copytree(parts, tmp_path / "parts")
    (tmp_path / "parts" / "events-1-of-2.parquet").write_bytes(b"PAR1 is not all")
    with pytest.raises(ArchiveStorageError, match="events: cannot be read"):
        merge(tmp_path / "parts", tmp_path / "merged")


def test_what_is_no_folder_of_results_is_refused(tmp_path):
    with pytest.raises(ArchiveError, match="expected a folder that"):
        shards_of(tmp_path)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 10])
def test_how_rows_are_cut_changes_no_byte(cut, tmp_path):
    schema = schema_of("errors", 0, {"what": "a test"})
    table = table_of(schema, [(f"{n}.wav", "unreadable", "x" * n) for n in range(10)])
    write_table(tmp_path / "whole", schema, [table], 4)
    pieces = [table.slice(start, cut) for start in range(0, 10, cut)]
    write_table(tmp_path / "pieces", schema, [*pieces, table.slice(0, 0)], 4)
    assert (tmp_path / "pieces").read_bytes() == (tmp_path / "whole").read_bytes()
    assert pyarrow.parquet.ParquetFile(tmp_path / "whole").num_row_groups == 3
