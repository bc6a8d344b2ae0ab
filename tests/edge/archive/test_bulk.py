"""Whole runs: many recordings, worker processes, tables."""

import os
import shutil

import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")
from rigs.archive import bulk, job_of, replayed, rows, tables
from rigs.full_disk import files_end_at
from rigs.model import RATE, tone

from ast_edge.archive import bulk as module
from ast_edge.archive.errors import ArchiveError, ArchiveStorageError
from ast_edge.archive.tables.merge import merge
from ast_edge.archive.tables.tables import Tables
from ast_edge.archive.watch import Watch
from ast_edge.base.errors import EngineError
from ast_edge.engines.choice import open_engine
from ast_edge.model.bundle import load_bundle


@pytest.fixture
def folder(recordings, tmp_path):
    """The recordings, to change."""
    return shutil.copytree(recordings, tmp_path / "recordings")


def found(out, name="events"):
    return [(r["file"], r["label"], r["onset"], r["offset"]) for r in rows(out, name)]


def test_events_are_those_that_replay_finds_in_one_pass(job, recordings, whole):
    engine = open_engine(job.bundle, job.engine)
    expected = [
        (str(path), *event[:3])
        for path in sorted(path for path in recordings.rglob("*.*"))
        for event in replayed(job, engine, path)
    ]
    engine.close()
    assert found(whole) == expected
    assert [e[1] for e in expected] == ["Hiss", "Hum", "Hiss", "Hum", "Hiss", "Hum", "Hiss"]


def test_the_time_of_day_is_that_of_the_name(whole):
    dated = [r["time"].isoformat() for r in rows(whole, "events") if "2024" in r["file"]]
    assert dated[0].startswith("2024-06-01T05:30:1")
    assert {r["time"] for r in rows(whole, "events") if "2024" not in r["file"]} == {None}


def test_every_recording_has_a_row_with_its_length(whole, recordings):
    lengths = {r["file"]: r["duration"] for r in rows(whole, "files")}
    assert lengths[str(recordings / "short.wav")] == 8.0
    assert lengths[str(recordings / "long.ogg")] == 69.9


def test_scores_and_tags_of_two_shards_merged_are_those_of_one_run(tag_job, recordings, tmp_path):
    bulk(tag_job, recordings, tmp_path / "whole")
    for shard in ("1/2", "2/2"):
        bulk(tag_job, recordings, tmp_path / "parts", shard)
    merge(tmp_path / "parts", tmp_path / "merged")
    assert tables(tmp_path / "merged") == tables(tmp_path / "whole")
    assert set(tables(tmp_path / "whole")) == {
        f"{name}.parquet" for name in ("errors", "files", "scores", "tags")
    }


def test_a_run_that_was_stopped_goes_on_where_it_was(job, recordings, whole, tmp_path, monkeypatch):
    class Stopping(Watch):
        heard_stretches = 0

        def heard(self, number, seconds):
            super().heard(number, seconds)
            Stopping.heard_stretches += 1
            if Stopping.heard_stretches == 4:
                raise KeyboardInterrupt

    monkeypatch.setattr(module, "Watch", Stopping)
    with pytest.raises(KeyboardInterrupt):
        bulk(job, recordings, tmp_path / "out")
    assert not tables(tmp_path / "out")
    again = bulk(job, recordings, tmp_path / "out", resume=True)
    assert tables(tmp_path / "out") == tables(whole)
    stretches = 4 + 2 + 4 + 1
    assert Stopping.heard_stretches <= stretches + 1, "what was heard is not heard again"
    assert again.recordings == 4


def test_what_is_resumed_with_other_parameters_is_refused(job, framed_model, recordings, whole):
    other = job_of(job.hearing.bundle, hop=0.25)
    with pytest.raises(ArchiveError, match=r"other parameters \(hop: 0.5, not 0.25\)"):
        bulk(other, recordings, whole, resume=True)


def test_results_of_a_run_before_are_not_overwritten_unasked(job, recordings, whole):
    with pytest.raises(ArchiveError, match="--resume"):
        bulk(job, recordings, whole)


def test_other_shards_in_the_same_folder_are_refused(job, recordings, whole):
    with pytest.raises(ArchiveError, match=r"is made of 1 shard\(s\), not 3"):
        bulk(job, recordings, whole, "1/3")


def test_a_resumed_run_hears_what_is_new_and_what_has_changed(job, folder, tmp_path):
    bulk(job, folder, tmp_path / "out")
    soundfile.write(folder / "new.wav", tone("Hum", 1), RATE)
    soundfile.write(folder / "short.wav", tone("Hiss", 2), RATE)
    again = bulk(job, folder, tmp_path / "out", resume=True)
    assert again.watch.done == 2
    labels = {(name, label) for name, label, *_ in found(tmp_path / "out")}
    assert (str(folder / "new.wav"), "Hum") in labels
    assert {label for name, label in labels if name.endswith("short.wav")} == {"Hiss"}


def test_what_cannot_be_heard_is_in_a_table_and_stops_nothing(job, folder, tmp_path, whole):
    (folder / "empty.wav").touch()
    (folder / "text.flac").write_text("no sound at all")
    (folder / "headless.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt ")
    os.mkfifo(folder / "pipe.wav")
    outcome = bulk(job, folder, tmp_path / "out")
    errors = {row["file"].rpartition("/")[2]: row for row in rows(tmp_path / "out", "errors")}
    assert set(errors) == {"empty.wav", "text.flac", "headless.wav", "pipe.wav"}
    assert {row["kind"] for row in errors.values()} == {"unreadable"}
    assert "expected a file" in errors["pipe.wav"]["message"]
    assert (outcome.recordings, outcome.failed) == (4, 4)
    assert len(found(tmp_path / "out")) == len(found(whole))


def test_a_recording_that_is_cut_off_is_heard_up_to_there(job, folder, tmp_path):
    path = folder / "deeper" / "20240601_053000.flac"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for other in ("cd.wav", "long.ogg", "short.wav"):
        (folder / other).unlink()
    bulk(job, folder, tmp_path / "out", jobs=2)
    (error,) = rows(tmp_path / "out", "errors")
    assert error["kind"] == "damaged"
    (file,) = rows(tmp_path / "out", "files")
    assert 10 < file["duration"] < 60
    assert [event[1] for event in found(tmp_path / "out")] == ["Hum"]


def test_names_that_are_no_text_or_no_line_are_kept(job, tmp_path):
    folder = tmp_path / "names"
    folder.mkdir()
    for name in (b"caf\xe9.wav", b"two\nlines.wav", b"tab\there.wav"):
        path = os.path.join(os.fsencode(folder), name)  # noqa: PTH118
        soundfile.write(os.open(path, os.O_CREAT | os.O_RDWR), tone("Hum", 1), RATE, format="WAV")
    outcome = bulk(job, folder, tmp_path / "out")
    assert outcome.failed == 0
    names = [row["file"].removeprefix(f"{folder}/") for row in rows(tmp_path / "out", "files")]
    assert names == ["caf\\xe9.wav", "tab\there.wav", "two\nlines.wav"]


def test_a_recording_that_kills_its_worker_twice_is_an_error(job, folder, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nkill -9 $PPID\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    (folder / "deadly.m4a").write_bytes(bytes(1000))
    bulk(job, folder, tmp_path / "out")
    (error,) = rows(tmp_path / "out", "errors")
    assert error["kind"] == "crashed"
    assert "signal 9" in error["message"]
    assert len(rows(tmp_path / "out", "files")) == 4


def test_a_full_disk_is_one_error_and_what_was_heard_stays(job, recordings, whole, tmp_path):
    # The journal's own pages fit, the scores of the second recording do not.
    scored = job_of(job.hearing.bundle, events=False, scores=True, hop=0.01)
    with files_end_at(200_000), pytest.raises(ArchiveStorageError, match="--resume"):
        bulk(scored, recordings, tmp_path / "out")
    assert not tables(tmp_path / "out")
    again = bulk(scored, recordings, tmp_path / "out", resume=True)
    assert again.recordings == 4
    assert np.array(rows(tmp_path / "out", "tags")[0]["scores"]).max() > 0.9


def test_a_disk_that_is_full_when_tables_are_written_costs_nothing(
    job, recordings, whole, tmp_path, monkeypatch
):
    class Late(Tables):
        def write(self, folder):
            with files_end_at(1000):
                return super().write(folder)

    monkeypatch.setattr(module, "Tables", Late)
    with pytest.raises(ArchiveStorageError, match="--resume"):
        bulk(job, recordings, tmp_path / "out")
    monkeypatch.undo()
    assert not list((tmp_path / "out").glob("*.parquet*"))
    again = bulk(job, recordings, tmp_path / "out", resume=True)
    assert again.watch.done == 0
    assert tables(tmp_path / "out") == tables(whole)


def test_a_worker_whose_engine_does_not_work_ends_the_run(model_folder, recordings, tmp_path):
    broken = job_of(load_bundle(model_folder))
    (model_folder / "model.onnx").unlink()
    with pytest.raises(EngineError):
        bulk(broken, recordings, tmp_path / "out")
