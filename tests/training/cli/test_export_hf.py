import argparse

import pytest
from rigs.training.checkpoints import random_checkpoint

from ast_edge.base.errors import BundleError
from ast_training.cli import export_hf


def run(*words):
    parser = argparse.ArgumentParser()
    export_hf.add_parser(parser.add_subparsers())
    args = parser.parse_args(["export-hf", *map(str, words)])
    return args.command(args)


def test_a_checkpoint_becomes_a_folder(tmp_path, capsys):
    random_checkpoint().save(tmp_path / "best.safetensors")
    assert run(tmp_path / "best.safetensors", "--out", tmp_path / "out") == 0
    assert capsys.readouterr().out == f"wrote {tmp_path}/out\n"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    }


def test_what_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"bad")
    with pytest.raises(BundleError, match="not a readable checkpoint"):
        run(tmp_path / "bad.safetensors", "--out", tmp_path / "out")
