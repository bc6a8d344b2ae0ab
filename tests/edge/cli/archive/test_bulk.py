"""`ast-edge tag` and `replay` over many recordings, as they are called."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")
from rigs.archive import rows, tables
from rigs.model import RATE, silence, tone

from ast_edge.cli.main import main

TIMEOUT = 100
STUCK = "slow.m4a"


@pytest.fixture
def model(framed_model):
    return ["--bundle", str(framed_model), "--engine", "openvino"]


@pytest.fixture
def folder(tmp_path):
    """Six recordings."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(6):
        sound = np.concatenate([silence(1 + number), tone("Hum", 2), silence(2)])
        soundfile.write(folder / f"{number}.wav", sound, RATE)
    return folder


@pytest.fixture
def stuck(folder, tmp_path, monkeypatch):
    """One more, behind them, which is decoded for ever; return the file that says so."""
    program, begun = tmp_path / "bin" / "ffmpeg", tmp_path / "begun"
    program.parent.mkdir()
    lines = ("#!/bin/sh", f"echo $$ > {begun}.new", f"mv {begun}.new {begun}", "exec sleep 1000")
    program.write_text("\n".join(lines))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    (folder / STUCK).write_bytes(bytes(1000))
    yield begun
    if begun.exists():
        os.kill(int(begun.read_text()), signal.SIGKILL)


def start(*arguments):
    command = [sys.executable, "-m", "ast_edge", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)


def wait_for(path):
    deadline = time.monotonic() + TIMEOUT
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        (lambda child: os.kill(child.pid, signal.SIGKILL), -signal.SIGKILL, ""),
        (lambda child: os.killpg(child.pid, signal.SIGINT), 130, "stopped: 6 of 7 recordings"),
        (lambda child: os.kill(child.pid, signal.SIGTERM), 130, "stopped: 6 of 7 recordings"),
    ],
    ids=["kill -9", "Ctrl-C", "SIGTERM"],
)
def test_what_ends_a_run_costs_only_what_was_under_way(
    how, code, said, folder, stuck, model, tmp_path, capsys
):
    out = tmp_path / "out"
    child = start("replay", *model, folder, "--out", out, "--jobs", 1)
    wait_for(stuck)
    how(child)
    errors = child.communicate(timeout=TIMEOUT)[1].decode()
    assert child.returncode == code
    assert said in errors
    assert "Traceback" not in errors
    assert not tables(out)
    (folder / STUCK).unlink()
    assert main(["replay", *model, str(folder), "--out", str(out), "--resume"]) == 0
    assert "6 recordings, 6 events" in capsys.readouterr().err
    whole = tmp_path / "whole"
    assert main(["replay", *model, str(folder), "--out", str(whole)]) == 0
    assert tables(out) == tables(whole)


def test_what_was_heard_before_a_kill_is_not_heard_again(folder, stuck, model, tmp_path, capsys):
    out = tmp_path / "out"
    child = start("replay", *model, folder, "--out", out, "--jobs", 1)
    wait_for(stuck)
    child.kill()
    child.communicate(timeout=TIMEOUT)
    (folder / STUCK).write_bytes(b"")  # cannot be heard, at once
    assert main(["replay", *model, str(folder), "--out", str(out), "--resume"]) == 0
    said = capsys.readouterr().err
    assert "this run: 1 of 1 recordings" in said
    assert "1 cannot be heard" in said


def test_two_runs_into_one_folder_are_refused(folder, stuck, model, tmp_path, capsys):
    out = tmp_path / "out"
    child = start("replay", *model, folder, "--out", out, "--jobs", 1)
    wait_for(stuck)
    assert main(["replay", *model, str(folder), "--out", str(out), "--resume"]) == 65
    assert "another run is at work here" in capsys.readouterr().err
    child.kill()
    child.communicate(timeout=TIMEOUT)


def test_names_come_from_a_list_on_standard_input(folder, model, tmp_path, monkeypatch):
    names = b"\0".join(os.fsencode(folder / f"{n}.wav") for n in (4, 2))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(names)))
    out = tmp_path / "out"
    assert main(["tag", *model, "--list", "-", "--null", "--out", str(out), "--jobs", "1"]) == 0
    assert [Path(row["file"]).name for row in rows(out, "tags")] == ["2.wav", "4.wav"]


def test_tags_are_what_tag_prints(folder, model, tmp_path, capsys):
    assert main(["tag", *model, "--json", str(folder)]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["tag", *model, str(folder / "*.wav"), "--out", str(tmp_path / "out")]) == 0
    found = rows(tmp_path / "out", "tags")
    assert [row["file"] for row in found] == [line["file"] for line in printed]
    for row, line in zip(found, printed, strict=True):
        assert row["scores"] == pytest.approx(list(line["scores"].values()), abs=1e-5)


def test_without_out_folders_and_patterns_are_printed(folder, model, capsys):
    assert main(["replay", *model, "--json", str(folder), str(folder / "[45].wav")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 8


def test_embeddings_are_a_table(folder, embedding_model, tmp_path):
    options = ["--bundle", str(embedding_model), "--embeddings", "--out", str(tmp_path / "out")]
    assert main(["replay", *options, str(folder / "1.wav")]) == 0
    found = rows(tmp_path / "out", "embeddings")
    assert {len(row["embedding"]) for row in found} == {128}
    assert found[-1]["offset"] == 5.995


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--shard", "0/4"], "from 1/4 to 4/4"),
        (["--shard", "5/4"], "from 1/4 to 4/4"),
        (["--shard", "half"], "such as 2/8"),
        (["--jobs", "0"], "a number of processes"),
        (["--timezone", "Europe/Belin"], "did you mean 'Europe/Berlin'"),
        (["--null"], "--list"),
    ],
    ids=" ".join,
)
def test_an_option_that_cannot_be_is_a_mistake_in_the_command(arguments, reason, folder, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["replay", str(folder), "--out", "nowhere", *arguments])
    assert caught.value.code == 2
    assert reason in capsys.readouterr().err
    assert not Path("nowhere").exists()


def test_an_option_for_tables_needs_a_folder_for_them(folder, capsys):
    with pytest.raises(SystemExit):
        main(["tag", str(folder), "--resume"])
    assert "--out" in capsys.readouterr().err


def test_if_nothing_can_be_heard_the_run_fails(model, tmp_path, capsys):
    missing = str(tmp_path / "missing.wav")
    assert main(["replay", *model, missing, "--out", str(tmp_path / "out")]) == 66
    assert "none of 1 recordings can be heard" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["tag", "in", "--out", "s3://archive/out"],
        ["archive", "summary", "s3://archive/out"],
        ["archive", "merge", "parts", "--out", "gs://archive/out"],
    ],
    ids=" ".join,
)
def test_results_are_in_a_folder_of_this_machine(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "expected a folder of this machine" in capsys.readouterr().err


def test_what_is_elsewhere_is_not_printed_but_needs_out(model, tmp_path, capsys):
    (tmp_path / "list").write_text("s3://archive/a.wav\n")
    assert main(["replay", *model, "--list", str(tmp_path / "list")]) == 65
    assert "s3://archive/a.wav: what is elsewhere is heard with --out" in capsys.readouterr().err


def test_embeddings_of_a_bundle_that_gives_none_are_refused(folder, model, tmp_path, capsys):
    options = ["--embeddings", "--out", str(tmp_path / "out")]
    assert main(["replay", *model, str(folder), *options]) == 65
    assert "gives none" in capsys.readouterr().err


def test_a_list_with_names_that_end_with_nul_is_refused_without_null(model, tmp_path, capsys):
    (tmp_path / "list").write_bytes(b"a.wav\0b.wav\0")
    arguments = ["--list", str(tmp_path / "list"), "--out", str(tmp_path / "out")]
    assert main(["replay", *model, *arguments]) == 65
    assert "--null" in capsys.readouterr().err


def test_without_pyarrow_the_extra_is_named_before_anything_is_heard(
    folder, model, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert main(["replay", *model, str(folder), "--out", str(tmp_path / "out")]) == 65
    assert "pip install 'ast-edge[archive]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
