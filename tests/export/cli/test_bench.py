import argparse
import re
import subprocess
import sys

import pytest
from rigs.model import write_bundle

from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.model.bundle import load_bundle
from ast_export import bench as measuring
from ast_export.bench import PRECISIONS
from ast_export.cli import bench

BOTH = "openvino,onnxruntime"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("bundle") / "bands")


@pytest.fixture(scope="module")
def names(folder):
    """What runs here: not every processor multiplies fp16 or bf16."""
    configs = [EngineConfig(name="openvino", precision=one) for one in PRECISIONS]
    found = [f"openvino {open_engine(load_bundle(folder), one).precision}" for one in configs]
    return list(dict.fromkeys([*found, "onnxruntime fp32"]))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Few runs: how fast they are is no claim of these tests."""
    monkeypatch.setattr(measuring, "MOST", 3)


def run(*arguments):
    parser = argparse.ArgumentParser()
    bench.add_parser(parser.add_subparsers())
    args = parser.parse_args(["bench", "--engines", BOTH, *map(str, arguments)])
    return args.command(args)


def rows(text):
    """Engine and batch of every row of the table."""
    return re.findall(r"^(?:\| )?(\w+ [a-z]+\d+)[ |]+(\d+) ", text, re.MULTILINE)


def test_prints_a_row_for_every_batch_and_engine(folder, names, capsys):
    assert run(folder, "--batches", "2,1", "--threads", 1, "--seconds", 600) == 0
    printed = capsys.readouterr()
    assert rows(printed.out) == [(name, batch) for batch in "12" for name in names]
    assert printed.err == ""


def test_the_table_fits_80_columns_and_nothing_in_it_is_cut(folder, names, capsys):
    run(folder, "--batches", "32", "--threads", 1, "--seconds", 600)
    printed = capsys.readouterr().out
    table = printed.split("\n\n")[1].splitlines()
    assert len(table) == 2 + len(names)
    assert max(map(len, table)) <= 80
    assert "…" not in printed


def test_only_the_engines_that_are_asked_for_are_measured(folder, capsys):
    run(folder, "--engines", "onnxruntime", "--batches", 1, "--threads", 1, "--seconds", 600)
    assert rows(capsys.readouterr().out) == [("onnxruntime fp32", "1")]


def test_the_file_holds_the_table_that_was_printed_and_the_notes(folder, tmp_path, capsys):
    path = tmp_path / "docs" / "speed.md"
    run(folder, "--batches", 1, "--threads", 1, "--seconds", 600, "--markdown", path)
    printed, page = capsys.readouterr().out, path.read_text(encoding="utf-8")
    figures = [line.split() for line in printed.splitlines() if rows(line)]
    assert figures == [line.replace("|", " ").split() for line in page.splitlines() if rows(line)]
    notes = [line for line in printed.splitlines() if line.startswith("- ")]
    assert [line for line in page.splitlines() if line.startswith("- ")] == notes


def test_the_table_of_the_file_is_one_that_markdown_knows(folder, names, tmp_path):
    path = tmp_path / "speed.md"
    run(folder, "--batches", "1,2", "--threads", 1, "--seconds", 600, "--markdown", path)
    table = [t for t in path.read_text(encoding="utf-8").split("\n\n") if t.startswith("|")]
    (lines,) = [t.splitlines() for t in table]
    assert len(lines) == 2 + 2 * len(names)
    assert set(lines[1]) == {"|", "-"}
    assert len({line.count("|") for line in lines}) == 1


def test_batch_sizes_that_were_left_out_are_named(folder, capsys):
    run(folder, "--batches", "1,8,16", "--threads", 1, "--seconds", 0)
    printed = capsys.readouterr().out
    assert {batch for _, batch in rows(printed)} == {"1"}
    assert "batch 8, 16: left out" in printed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--engines", "openvin"], "no engine 'openvin', did you mean 'openvino'?"),
        (["--batches", "1,x"], "expected sizes with commas, such as 1,8, got '1,x'"),
        (["--batches", "0"], "got '0'"),
        (["--threads", "-1"], "got '-1'"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(folder, capsys, arguments, complaint):
    with pytest.raises(SystemExit) as caught:
        run(folder, *arguments)
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err


def test_runs_without_torch(folder):
    program = (
        "import argparse, sys\n"
        "sys.modules['torch'] = None\n"
        "from ast_export.cli import bench\n"
        "parser = argparse.ArgumentParser()\n"
        "bench.add_parser(parser.add_subparsers())\n"
        "args = parser.parse_args(sys.argv[1:])\n"
        "sys.exit(args.command(args))\n"
    )
    options = ["--engines", "onnxruntime", "--batches", "1", "--threads", "1", "--seconds", "0"]
    finished = subprocess.run(
        [sys.executable, "-c", program, "bench", str(folder), *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    assert rows(finished.stdout)
