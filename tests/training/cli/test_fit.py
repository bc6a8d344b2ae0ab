import argparse

import pytest
from rigs.training.packs import two_sounds, write_recipe

from ast_edge.base.errors import ConfigError
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


def test_settings_of_the_command_line_are_kept_in_the_run(config, tmp_path):
    settings = ("--set", "optimizer.epochs=1", "--set", "average=", "--set", "optimizer.lr=1e-4")
    assert call("--config", config, "--out", tmp_path / "run", "--threads", 1, *settings) == 0
    saved = load_checkpoint(tmp_path / "run" / "last.safetensors")
    assert saved.epoch == 1
    assert saved.recipe["optimizer"]["lr"] == 1e-4


def test_a_run_does_not_go_on_without_the_settings_that_it_was_begun_with(config, tmp_path):
    begin = ("--config", config, "--out", tmp_path / "run", "--threads", 1, "--set", "average=")
    call(*begin, "--set", "optimizer.epochs=1", "--set", "optimizer.lr=1e-4")
    with pytest.raises(ConfigError, match=r"optimizer\.lr was 0\.0001, is 0\.0005"):
        call(*begin)
    assert call(*begin, "--set", "optimizer.lr=1e-4") == 0
    assert load_checkpoint(tmp_path / "run" / "last.safetensors").epoch == 2


def test_a_recipe_is_needed(capsys):
    with pytest.raises(SystemExit):
        parse()
    assert "--config" in capsys.readouterr().err
