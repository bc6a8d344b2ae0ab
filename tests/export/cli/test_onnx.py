import pytest
from rigs.checkpoints import random_checkpoint

from ast_edge.bundle import load_bundle
from ast_export import parity
from ast_export.cli.main import main


@pytest.fixture
def saved(tmp_path):
    random_checkpoint().save(tmp_path / "best.safetensors")
    return str(tmp_path / "best.safetensors")


def test_writes_a_bundle_named_as_its_folder_and_prints_the_parity(saved, audio, tmp_path, capsys):
    out = tmp_path / "kitchen"
    assert main(["onnx", saved, "--audio", str(audio), "--out", str(out)]) == 0
    assert load_bundle(out).name == "kitchen"
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == [
        "engine",
        "onnxruntime",
        "openvino",
        "openvino",
        "wrote",
    ]


def test_a_failed_comparison_prints_the_parity_and_exits_65(
    saved, audio, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(parity, "LIMITS", dict.fromkeys(parity.LIMITS, -1.0))
    monkeypatch.setattr(parity, "STORAGE_LIMITS", dict.fromkeys(parity.STORAGE_LIMITS, -1.0))
    out = tmp_path / "kitchen"
    assert main(["onnx", saved, "--audio", str(audio), "--out", str(out)]) == 65
    streams = capsys.readouterr()
    assert streams.out.count("FAILS") == 3
    assert streams.err.endswith("nothing was written\n")
    assert not out.exists()


def test_a_folder_without_audio_is_one_line_and_exit_66(saved, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    arguments = ["--audio", str(tmp_path / "empty"), "--out", str(tmp_path / "kitchen")]
    assert main(["onnx", saved, *arguments]) == 66
    assert capsys.readouterr().err.count("\n") == 1


def test_a_checkpoint_that_is_none_is_one_line_and_exit_65(audio, tmp_path, capsys):
    (tmp_path / "bad.safetensors").write_bytes(b"bad")
    arguments = [str(tmp_path / "bad.safetensors"), "--audio", str(audio)]
    assert main(["onnx", *arguments, "--out", str(tmp_path / "kitchen")]) == 65
    assert "not a readable checkpoint" in capsys.readouterr().err
