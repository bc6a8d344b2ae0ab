import argparse

import numpy as np
import pytest
import soundfile
import torch
from rigs.training.foreign import official, random_model

from ast_edge.base.errors import BundleError, ConfigError
from ast_training.cli import import_
from ast_training.model.checkpoint import load_checkpoint
from ast_training.weights import hub
from ast_training.weights.foreign import read_foreign
from ast_training.weights.imported import first_logits, import_ast


def run(*words):
    parser = argparse.ArgumentParser()
    import_.add_parser(parser.add_subparsers())
    args = parser.parse_args(["import", *map(str, words)])
    return args.command(args)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("official") / "audioset_16_16_0.4422.pth"
    torch.save(official(random_model(frames=128, stride=(16, 16))), path)
    return path


@pytest.fixture
def audio(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 16_000)
    soundfile.write(tmp_path / "noise.wav", noise, 16_000)
    return tmp_path / "noise.wav"


def test_a_file_becomes_a_checkpoint_and_a_line_says_what_it_is(file, tmp_path, capsys):
    out = tmp_path / "ours.safetensors"
    assert run(file, "--out", out) == 0
    assert capsys.readouterr().out == (
        f"{out}: 527 labels, 128 frames, width 64, 2 blocks, stride 16 by 16, sigmoid\n"
    )
    provenance = load_checkpoint(out).provenance
    assert provenance["imported from"] == "audioset_16_16_0.4422.pth"
    assert provenance["licence"] == "as the source states"


def test_options_say_what_the_file_does_not(tmp_path):
    torch.save(official(random_model(labels=2, frames=98)), tmp_path / "a.pth")
    (tmp_path / "labels.txt").write_text("Kettle\nDoorbell\n")
    given = ["--frames", 98, "--stride", 10, "--labels", tmp_path / "labels.txt"]
    given += ["--activation", "softmax", "--licence", "CC0-1.0"]
    run(tmp_path / "a.pth", "--out", tmp_path / "ours.safetensors", *given)
    checkpoint = load_checkpoint(tmp_path / "ours.safetensors")
    assert [label.name for label in checkpoint.labels] == ["Kettle", "Doorbell"]
    assert (checkpoint.model.frames, checkpoint.model.activation) == (98, "softmax")
    assert checkpoint.provenance["licence"] == "CC0-1.0"


def test_a_model_of_the_hub_carries_its_commit_and_the_licence_of_a_member(
    file, tmp_path, monkeypatch
):
    name = "hf:MIT/ast-finetuned-audioset-16-16-0.442"
    monkeypatch.setattr(hub, "download", lambda source: hub.Snapshot(file, f"{source}@abc"))
    run(name, "--out", tmp_path / "ours.safetensors")
    provenance = load_checkpoint(tmp_path / "ours.safetensors").provenance
    assert provenance["imported from"] == f"{name}@abc"
    assert provenance["licence"] == "BSD-3-Clause"


def test_list_prints_every_member_with_its_quality_and_logits(capsys):
    with pytest.raises(SystemExit) as caught:
        run("--list")
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert all(f"hf:{member.name}\n  {member.quality}" in printed for member in hub.MEMBERS)
    assert "-0.8760, -7.0042, -8.6602" in printed


@pytest.mark.parametrize("words", [[], ["a.pth"], ["a.pth", "--out", "b", "--frames", "0"]])
def test_wrong_usage_exits_with_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*words)
    assert caught.value.code == 2
    capsys.readouterr()


# Comparing with published logits


def publish(monkeypatch, logits):
    member = hub.Member("MIT/some", "audioset_16_16_0.4422", "", tuple(logits))
    monkeypatch.setattr(hub, "MEMBERS", (member,))


def test_a_check_that_holds_is_told(file, audio, tmp_path, monkeypatch, capsys):
    publish(monkeypatch, first_logits(import_ast(read_foreign(file), origin=""), audio))
    assert run(file, "--out", tmp_path / "ours.safetensors", "--check", audio) == 0
    assert "equal to 0.001" in capsys.readouterr().out


def test_a_check_that_fails_writes_nothing(file, audio, tmp_path, monkeypatch):
    logits = first_logits(import_ast(read_foreign(file), origin=""), audio)
    publish(monkeypatch, [*logits[:2], logits[2] + 0.002])
    with pytest.raises(BundleError, match=r"expected the logits .*nothing was written"):
        run(file, "--out", tmp_path / "ours.safetensors", "--check", audio)
    assert not (tmp_path / "ours.safetensors").exists()


def test_only_published_models_can_be_checked(file, audio, tmp_path):
    other = tmp_path / "other.pth"
    other.symlink_to(file)
    with pytest.raises(ConfigError, match="expected a published model"):
        run(other, "--out", tmp_path / "ours.safetensors", "--check", audio)
