import pytest
from rigs.checkpoints import random_checkpoint

from ast_edge.bundle import load_bundle
from ast_export import parity
from ast_export.cli import main


@pytest.fixture
def saved(tmp_path):
    random_checkpoint().save(tmp_path / "best.safetensors")
    return str(tmp_path / "best.safetensors")


@pytest.mark.parametrize("command", [[], ["onnx"]])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert f"ast-export {' '.join(command)}" in capsys.readouterr().out


def test_writes_a_bundle_named_as_its_folder_and_prints_the_parity(saved, audio, tmp_path, capsys):
    out = tmp_path / "kitchen"
    assert main(["onnx", saved, "--audio", str(audio), "--out", str(out)]) == 0
    assert load_bundle(out).name == "kitchen"
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == ["onnxruntime", "openvino", "openvino", "wrote"]


def test_a_failed_comparison_prints_the_parity_and_exits_65(
    saved, audio, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(parity, "LIMITS", {"fp32": -1.0, "bf16": -1.0})
    out = tmp_path / "kitchen"
    assert main(["onnx", saved, "--audio", str(audio), "--out", str(out)]) == 65
    streams = capsys.readouterr()
    assert len(streams.out.splitlines()) == 3
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
