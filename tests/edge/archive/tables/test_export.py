"""The events of an archive for other programs, and what it holds in numbers."""

import csv
import shutil

import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")
from rigs.archive import bulk, rows

from ast_edge.archive.errors import ArchiveError, ArchiveStorageError
from ast_edge.archive.tables.export import export
from ast_edge.archive.tables.summary import summarize


@pytest.fixture(scope="module")
def events(whole):
    return rows(whole, "events")


def test_csv_has_a_row_for_every_event(whole, events, tmp_path):
    place = export(whole, "csv", tmp_path / "deeper" / "all.csv")
    with place.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [(r["file"], float(r["onset"]), r["label"]) for r in found] == [
        (e["file"], e["onset"], e["label"]) for e in events
    ]
    dated = [row["time"] for row in found if "2024" in row["file"]]
    assert dated[0].startswith("2024-06-01T05:30:1")


def test_audacity_has_a_track_for_every_recording(whole, events, recordings, tmp_path):
    place = export(whole, "audacity", tmp_path / "tracks")
    tracks = {path.name: path.read_text().splitlines() for path in place.rglob("*.txt")}
    assert set(tracks) == {f"{e['file'].rpartition('/')[2]}.txt" for e in events}
    first = next(e for e in events if e["file"].endswith("short.wav"))
    assert tracks["short.wav.txt"][0] == f"{first['onset']:.3f}\t{first['offset']:.3f}\tHum"


def test_raven_has_one_table_whose_time_goes_on_over_recordings(whole, events, tmp_path):
    place = export(whole, "raven", tmp_path / "raven.txt")
    with place.open(newline="") as file:
        found = list(csv.DictReader(file, delimiter="\t"))
    began = {row["file"]: 0.0 for row in rows(whole, "files")}
    total = 0.0
    for row in rows(whole, "files"):
        began[row["file"]] = total
        total += row["duration"]
    for number, (row, event) in enumerate(zip(found, events, strict=True), 1):
        assert row["Selection"] == str(number)
        assert row["Begin Path"] == event["file"]
        assert float(row["File Offset (s)"]) == pytest.approx(event["onset"], abs=1e-3)
        start = began[event["file"]] + event["onset"]
        assert float(row["Begin Time (s)"]) == pytest.approx(start, abs=1e-3)
    assert {row["High Freq (Hz)"] for row in found} == {"8000", "22050"}


def test_a_place_that_cannot_be_written_is_said(whole, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveStorageError, match="cannot be written"):
        export(whole, "csv", tmp_path / "file" / "events.csv")


def test_results_of_tag_have_no_events_to_export(tag_job, recordings, tmp_path):
    bulk(tag_job, recordings, tmp_path / "out")
    with pytest.raises(ArchiveError, match="results of `ast-edge tag`"):
        export(tmp_path / "out", "csv")
    assert not summarize(tmp_path / "out").has_events


def test_a_summary_counts_labels_days_and_errors(whole, parts, events):
    found = summarize(whole)
    assert found == summarize(parts)
    assert found.recordings == 4
    assert found.seconds == pytest.approx(sum(r["duration"] for r in rows(whole, "files")))
    assert found.events == {"Hiss": 4, "Hum": 3}
    assert found.days == {"": 5, "2024-06-01": 2}
    assert found.heard == {"": 3, "2024-06-01": 1}
    hums = sum(e["offset"] - e["onset"] for e in events if e["label"] == "Hum")
    assert found.lasted["Hum"] == pytest.approx(1000 * hums, abs=1)


def test_a_summary_of_what_is_gone_is_refused(whole, tmp_path):
    shutil.copy(whole / "archive.json", tmp_path)
    with pytest.raises(ArchiveError, match="not done"):
        summarize(tmp_path)
