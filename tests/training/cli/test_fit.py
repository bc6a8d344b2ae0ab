import argparse

import pytest
from rigs.training.packs import two_sounds, write_recipe

from ast_training.cli import fit
from ast_training.model.checkpoint import load_checkpoint


@pytest.fixture
def config(tmp_path):
    packs = two_sounds(tmp_path / "sounds")
    return write_recipe(tmp_path / "small.yaml", packs, optimizer={"epochs": 2}, average=[1, 2])


def parse(*arguments):
    parser = argparse.ArgumentParser()
    fit.add_parser(parser.add_subparsers())
    return parser.parse_args(["fit", *map(str, arguments)])


def call(*arguments):
    args = parse(*arguments)
    return args.command(args)


def test_says_where_the_models_are(config, tmp_path, capsys):
    run = tmp_path / "a run with a name that is longer than any terminal is wide [really]"
    assert call("--config", config, "--out", run, "--threads", 1) == 0
    printed = capsys.readouterr().out
    assert f"{run}/best.safetensors: the best by map\n" in printed
    assert f"{run}/average.safetensors: epochs 1 to 2 averaged\n" in printed


def test_a_run_lies_in_a_folder_of_its_recipes_name(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("--config", config, "--threads", 1) == 0
    assert load_checkpoint(tmp_path / "runs" / "small" / "last.safetensors").epoch == 2


def test_a_recipe_is_needed(capsys):
    with pytest.raises(SystemExit):
        parse()
    assert "--config" in capsys.readouterr().err
