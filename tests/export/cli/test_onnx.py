import json
import shutil

import pytest
import safetensors.torch
import torch
from rigs.full_disk import files_end_at
from rigs.training.checkpoints import LABELS, random_checkpoint

from ast_edge.model.bundle import load_bundle
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
    first, *engines, last = [line.split()[0] for line in printed]
    assert (first, last) == ("engine", "wrote")
    assert set(engines) == {"onnxruntime", "openvino"}


def test_a_curve_of_frame_scores_is_an_option(saved, audio, tmp_path, capsys):
    out = tmp_path / "kitchen"
    arguments = ["onnx", saved, "--audio", str(audio), "--out", str(out), "--frame-curve"]
    assert main(arguments) == 0
    assert load_bundle(out).frame == "curve"
    assert "frame" in capsys.readouterr().out.splitlines()[0]


def test_a_failed_comparison_prints_the_parity_and_exits_65(
    saved, audio, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(parity, "LIMITS", dict.fromkeys(parity.LIMITS, -1.0))
    monkeypatch.setattr(parity, "STORAGE_LIMITS", dict.fromkeys(parity.STORAGE_LIMITS, -1.0))
    out = tmp_path / "kitchen"
    assert main(["onnx", saved, "--audio", str(audio), "--out", str(out)]) == 65
    streams = capsys.readouterr()
    _, *engines = streams.out.splitlines()
    assert all(line.endswith("FAILS") for line in engines)
    assert {line.split()[0] for line in engines} == {"onnxruntime", "openvino"}
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


def test_several_checkpoints_become_an_ensemble(saved, audio, tmp_path, capsys):
    other = random_checkpoint(epoch=9, recipe={"name": "other"})
    other.save(tmp_path / "other.safetensors")
    arguments = [saved, str(tmp_path / "other.safetensors"), "--audio", str(audio)]
    assert main(["onnx", *arguments, "--out", str(tmp_path / "both")]) == 0
    assert len(load_bundle(tmp_path / "both").members) == 2
    assert "An ensemble of 2" in (tmp_path / "both" / "MODEL_CARD.md").read_text()


def test_with_average_several_checkpoints_become_one_model(saved, audio, tmp_path):
    shutil.copy(saved, tmp_path / "other.safetensors")
    arguments = [saved, str(tmp_path / "other.safetensors"), "--average", "--audio", str(audio)]
    assert main(["onnx", *arguments, "--out", str(tmp_path / "mean")]) == 0
    bundle = json.loads((tmp_path / "mean" / "bundle.json").read_text())
    assert len(bundle["members"]) == 1
    assert bundle["provenance"]["averaged"].startswith("2 checkpoints")


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_bundle_says_in_what_it_computes(saved, audio, tmp_path, precision):
    out = tmp_path / "small"
    arguments = ["--audio", str(audio), "--precision", precision, "--out", str(out)]
    assert main(["onnx", saved, *arguments]) == 0
    assert load_bundle(out).precision == precision
    assert json.loads((out / "bundle.json").read_text())["weights"] == precision


def test_labelled_recordings_add_the_mean_average_precision(saved, audio, tmp_path, capsys):
    for name, source in (("Hum", "tone.flac"), ("hiss", "hiss.wav")):
        (tmp_path / "labelled" / name).mkdir(parents=True)
        shutil.copy(audio / source, tmp_path / "labelled" / name)
    out = tmp_path / "kitchen"
    assert main(["onnx", saved, "--labelled", str(tmp_path / "labelled"), "--out", str(out)]) == 0
    assert "mAP" in capsys.readouterr().out
    assert all(
        r["map"] is not None for r in json.loads((out / "bundle.json").read_text())["parity"]
    )


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--opset", "9"], 78, "expected 18 or newer"),
        (["--precision", "fp16", "--weights", "int8"], 78, "--weights int8 is for graphs"),
        (["--precision", "int8", "--weights", "fp16"], 78, "--weights fp16 is for graphs"),
    ],
)
def test_what_cannot_be_is_one_line(saved, audio, tmp_path, capsys, options, status, message):
    out = tmp_path / "kitchen"
    assert main(["onnx", saved, "--audio", str(audio), "--out", str(out), *options]) == status
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert not out.exists()


def test_an_unknown_precision_is_a_mistake_in_the_command(saved, audio, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(
            [
                "onnx",
                saved,
                "--audio",
                str(audio),
                "--out",
                str(tmp_path / "k"),
                "--precision",
                "fp8",
            ]
        )
    assert caught.value.code == 2
    assert "fp8" in capsys.readouterr().err


def test_members_with_other_labels_are_one_line(saved, audio, tmp_path, capsys):
    random_checkpoint(labels=LABELS[::-1]).save(tmp_path / "other.safetensors")
    arguments = [saved, str(tmp_path / "other.safetensors"), "--audio", str(audio)]
    assert main(["onnx", *arguments, "--out", str(tmp_path / "both")]) == 65
    assert "has other labels than" in capsys.readouterr().err
    assert not (tmp_path / "both").exists()


def test_a_checkpoint_of_another_project_is_refused(audio, tmp_path, capsys):
    safetensors.torch.save_file({"w": torch.zeros(1)}, tmp_path / "other.safetensors")
    arguments = [str(tmp_path / "other.safetensors"), "--audio", str(audio)]
    assert main(["onnx", *arguments, "--out", str(tmp_path / "kitchen")]) == 65
    assert "no ast-edge checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize("size", [100, 200_000])
def test_a_full_disk_leaves_the_older_bundle_and_nothing_else(bundle, saved, audio, capsys, size):
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    with files_end_at(size):
        status = main(["onnx", saved, "--audio", str(audio), "--out", str(bundle)])
    assert status == 65
    assert "cannot be written" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before
    assert list(bundle.parent.iterdir()) == [bundle]


def test_merging_more_tokens_than_there_are_is_one_line_and_exit_78(saved, audio, tmp_path, capsys):
    out = tmp_path / "kitchen"
    arguments = ["onnx", saved, "--audio", str(audio), "--out", str(out), "--merge-tokens", "99"]
    assert main(arguments) == 78
    printed = capsys.readouterr().err
    assert "expected 1 to 16 tokens" in printed
    assert printed.count("\n") == 1
    assert not out.exists()
