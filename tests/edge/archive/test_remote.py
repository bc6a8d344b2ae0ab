"""Recordings in buckets are heard as those of this machine are."""

import io
import json
import time

import pytest
import soundfile

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")
from rigs.archive import bulk, rows
from rigs.model import RATE, tone

from ast_edge.archive.errors import ArchiveError
from ast_edge.archive.recordings import find_recordings


def sound(label="Hum", seconds=2.0):
    file = io.BytesIO()
    soundfile.write(file, tone(label, seconds), RATE, format="WAV")
    return file.getvalue()


def found(*names):
    return [path.decode() for path in find_recordings(names)]


def told(out, name="events"):
    return [
        (r["file"].partition("/in/")[2], r["label"], r["onset"], r["offset"])
        for r in rows(out, name)
    ]


def test_events_are_those_of_the_same_folder_here(job, recordings, whole, buckets, tmp_path):
    buckets.put_folder("archive/in", recordings)
    bulk(job, "s3://archive/in", tmp_path / "out", jobs=2)
    here = [
        (r["file"].removeprefix(f"{recordings}/"), *e[1:])
        for r, e in zip(rows(whole, "events"), told(whole), strict=True)
    ]
    assert told(tmp_path / "out") == here


def test_each_is_fetched_once_however_long_it_is(job, recordings, buckets, tmp_path):
    buckets.put_folder("archive/in", recordings)
    bulk(job, "s3://archive/in", tmp_path / "out", jobs=2)
    assert len(buckets.read) == len(set(buckets.read)) == 4


def test_a_folder_stands_for_all_recordings_below(buckets):
    for name in (
        "b.wav",
        "a.FLAC",
        "c.wav",
        "notes.txt",
        ".hidden.wav",
        ".trash/d.wav",
        "sub/e.mp3",
        "other/f.wav",
    ):
        buckets.put(f"archive/2024/{name}", b"")
    buckets.put("archive/2024-old/g.wav", b"")
    expected = ["a.FLAC", "b.wav", "c.wav", "other/f.wav", "sub/e.mp3"]
    assert sorted(found("s3://archive/2024")) == [f"s3://archive/2024/{name}" for name in expected]


def test_a_bucket_is_a_folder(buckets):
    buckets.put("archive/a.wav", b"")
    assert found("s3://archive") == found("s3://archive/") == ["s3://archive/a.wav"]


@pytest.mark.parametrize("name", ["a b%20#?.wav", "caf\u00e9 & <one>.wav", "x[1]*.wav"])
def test_any_name_is_found_and_heard(name, job, buckets, tmp_path):
    buckets.put(f"archive/in/{name}", sound())
    bulk(job, "s3://archive/in", tmp_path / "folder")
    bulk(job, f"s3://archive/in/{name}", tmp_path / "alone")
    assert told(tmp_path / "folder") == told(tmp_path / "alone")
    assert [row[:2] for row in told(tmp_path / "alone")] == [(name, "Hum")]


def test_a_file_beside_it_tells_when_it_was_made(job, buckets, tmp_path):
    buckets.put("archive/a.wav", sound())
    buckets.put("archive/a.json", json.dumps({"started_at": "2023-01-02T03:04:05Z"}).encode())
    bulk(job, "s3://archive", tmp_path / "out")
    assert rows(tmp_path / "out", "files")[0]["time"].isoformat() == "2023-01-02T03:04:05+00:00"


def test_a_connection_that_is_lost_costs_only_its_recording(job, buckets, tmp_path):
    buckets.put("archive/a.wav", sound())
    buckets.put("archive/b.wav", sound())
    buckets.cut.add("archive/a.wav")
    outcome = bulk(job, "s3://archive", tmp_path / "out")
    assert (outcome.recordings, outcome.failed) == (1, 1)
    (error,) = rows(tmp_path / "out", "errors")
    assert (error["file"], error["kind"]) == ("s3://archive/a.wav", "unreadable")
    assert "cannot be fetched" in error["message"]


def test_what_could_not_be_fetched_is_tried_again_by_resume(job, buckets, tmp_path):
    buckets.put("archive/a.wav", sound())
    buckets.cut.add("archive/a.wav")
    assert bulk(job, "s3://archive", tmp_path / "out").failed == 1
    buckets.cut.clear()
    assert bulk(job, "s3://archive", tmp_path / "out", resume=True).recordings == 1
    assert not rows(tmp_path / "out", "errors")


def test_one_that_is_not_there_is_an_error_of_its_own(job, buckets, tmp_path):
    buckets.put("archive/a.wav", sound())
    assert bulk(job, "s3://archive/b.wav", tmp_path / "out").failed == 1
    assert "there is no such recording" in rows(tmp_path / "out", "errors")[0]["message"]


def test_one_that_is_replaced_while_it_is_fetched_is_not_heard(job, buckets, tmp_path):
    buckets.put("archive/a.wav", sound())
    buckets.after_read["archive/a.wav"] = lambda: buckets.put("archive/a.wav", sound("Hiss", 3))
    assert bulk(job, "s3://archive", tmp_path / "out").failed == 1
    assert "was changed while it was fetched" in rows(tmp_path / "out", "errors")[0]["message"]


def test_a_resumed_run_fetches_what_is_new_or_replaced_alone(job, buckets, tmp_path):
    for name in ("same", "other"):
        buckets.put(f"archive/{name}.wav", sound(), changed=time.time() - 60)
    bulk(job, "s3://archive", tmp_path / "out")
    buckets.read.clear()
    buckets.put("archive/new.wav", sound())
    buckets.put("archive/other.wav", sound())  # of the same size
    assert bulk(job, "s3://archive", tmp_path / "out", resume=True).watch.done == 2
    assert sorted(buckets.read) == ["archive/new.wav", "archive/other.wav"]


def test_a_bucket_that_does_not_exist_is_refused(buckets):
    buckets.put("archive/a.wav", b"")
    with pytest.raises(ArchiveError, match=r"s3://archives/: cannot be listed: .* NO_SUCH_BUCKET"):
        found("s3://archives/")


def test_a_folder_that_does_not_exist_is_refused(buckets):
    buckets.put("archive/a.wav", b"")
    with pytest.raises(ArchiveError, match="s3://archive/2025/: cannot be listed"):
        found("s3://archive/2025/")


def test_without_credentials_a_private_bucket_is_refused(buckets, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    buckets.put("archive/a.wav", b"")
    buckets.private.add("archive")
    with pytest.raises(ArchiveError, match=r"s3://archive/: cannot be listed: .*ACCESS_DENIED"):
        found("s3://archive/")


def test_without_credentials_a_public_bucket_is_found(buckets, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    buckets.put("archive/a.wav", b"")
    assert found("s3://archive") == ["s3://archive/a.wav"]


def test_a_server_that_does_not_answer_is_refused(buckets, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ArchiveError, match="s3://archive/: cannot be listed"):
        found("s3://archive/")


def test_a_pattern_is_refused(buckets):
    buckets.put("archive/a.wav", b"")
    with pytest.raises(ArchiveError, match="name the folder"):
        found("s3://archive/*.wav")


def test_an_address_without_a_bucket_is_refused():
    with pytest.raises(ArchiveError, match="expected s3://BUCKET/FOLDER"):
        found("s3:///a.wav")
