"""Names that the terminal's encoding lacks, or that have none, in every output."""

import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, silence, tone

from ast_edge.cli.main import main

CASES = {"latin-1": "名前.wav", "ascii": "🐕é.wav", "utf-8": os.fsdecode(b"caf\xe9.wav")}
"""Encodings of the terminal, and a name that each lacks."""
TIMEOUT = 60.0


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "hum.wav"
    soundfile.write(path, np.concatenate([silence(1), tone("Hum", 1), silence(1)]), RATE)
    return path


@pytest.fixture(params=CASES)
def encoding(request):
    return request.param


@pytest.fixture
def folder(encoding, tmp_path, sound, tiny_model):
    """A folder, and in it everything that has a name, by the same name."""
    name = CASES[encoding]
    stem = name.removesuffix(".wav")
    folder = tmp_path / stem
    folder.mkdir()
    shutil.copy(sound, folder / name)
    tree = {"bundle": str(tiny_model), "hop": 0.1, "jsonl": "events"}
    file = "hum.wav" if encoding == "utf-8" else name  # a configuration is UTF-8
    shutil.copy(sound, folder / file)
    tree["sources"] = {"a": {"file": file, "pace": "fast"}}
    (folder / f"{stem}.yaml").write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")
    return folder


@pytest.fixture
def command(folder, tiny_model):
    """Fill in the names of a command line."""
    names = {kind: folder / f"{folder.name}.{kind}" for kind in ("wav", "yaml", "json", "html")}
    return lambda *words: [word.format(model=tiny_model, folder=folder, **names) for word in words]


@pytest.fixture
def call(encoding, command, monkeypatch):
    """Run a command in a terminal of one encoding; return what it prints."""

    def call(*words, status=0):
        with monkeypatch.context() as patch:
            for name in ("stdout", "stderr"):
                patch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding))
            assert main(command(*words)) == status
            sys.stdout.flush()
            return sys.stdout.buffer.getvalue().decode(encoding)

    return call


MODEL = ["--bundle", "{model}", "--hop", "0.1"]


@pytest.mark.parametrize("name", ["tag", "replay"])
def test_a_recording_is_named_as_json_that_holds_its_name(call, folder, name):
    for line in call(name, "--json", *MODEL, "{wav}").splitlines():
        assert json.loads(line)["file"] == str(folder / f"{folder.name}.wav")


@pytest.mark.parametrize(
    "words",
    [
        ["tag", *MODEL, "{wav}"],
        ["replay", *MODEL, "{wav}"],
        ["replay", "--config", "{yaml}", "{wav}"],
        ["listen", *MODEL, "--file", "{wav}"],
        ["check", "--config", "{yaml}"],
        ["doctor", "--config", "{yaml}"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_no_command_fails_over_a_name(call, words):
    call(*words)


def test_a_log_as_json_stays_json(encoding, folder, command):
    (folder / f"{folder.name}.wav").write_text("no sound")
    done = subprocess.run(
        [sys.executable, "-m", "ast_edge", *command("run", "--log-json", "--config", "{yaml}")],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    lines = done.stderr.decode(encoding).splitlines()
    said = [json.loads(line)["message"] for line in lines if line.startswith("{")]
    assert "listening to a" in said
    assert b"Traceback" not in done.stderr


def test_evaluate_writes_reports_of_it(call, folder):
    table = "filename\tonset\toffset\tevent_label\nother.wav\t1\t2\tHum\n"
    shutil.copy(folder / f"{folder.name}.wav", folder / "other.wav")
    (folder / "events.tsv").write_text(table)
    negatives = folder / "negatives"
    negatives.mkdir()
    shutil.copy(folder / f"{folder.name}.wav", negatives / f"{folder.name}.wav")
    outputs = ["--json", "{json}", "--html", "{html}"]
    recordings = ["--annotations", "{folder}/events.tsv", "--negatives", "{folder}/negatives"]
    call("evaluate", *MODEL, *recordings, *outputs)
    assert json.loads((folder / f"{folder.name}.json").read_text(encoding="utf-8"))


def test_what_is_not_there_is_said(call):
    call("tag", *MODEL, "{wav}x", status=66)
    call("check", "--config", "{yaml}x", status=78)
