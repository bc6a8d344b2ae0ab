import argparse

import pytest
import torch
from rigs.training.checkpoints import random_checkpoint

from ast_edge.base.errors import ConfigError
from ast_training.cli import average
from ast_training.model.checkpoint import load_checkpoint
from ast_training.run.averaging import average_epochs
from ast_training.run.folder import RunFolder


def call(*words):
    parser = argparse.ArgumentParser()
    average.add_parser(parser.add_subparsers())
    args = parser.parse_args(["average", *map(str, words)])
    return args.command(args)


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path)
    for epoch in (1, 2):
        random_checkpoint(epoch=epoch).save(folder.epoch(epoch))
    return folder


def test_writes_the_average_into_the_run(run, capsys):
    assert call(run.path, "--epochs", "1-2") == 0
    assert capsys.readouterr().out == f"wrote {run.path}/average-001-002.safetensors\n"
    expected = average_epochs(run, 1, 2).weights
    saved = load_checkpoint(run.path / "average-001-002.safetensors").weights
    assert all(torch.equal(saved[name], expected[name]) for name in expected)


def test_writes_it_where_one_wants_it(run, tmp_path):
    assert call(run.path, "--epochs", "2-2", "--out", tmp_path / "mean.safetensors") == 0
    assert load_checkpoint(tmp_path / "mean.safetensors").epoch == 2
    assert not run.average.exists()


@pytest.mark.parametrize("span", ["6", "25-6", "6-", "a-b", "-1-2"])
def test_refuses_what_is_no_span_of_epochs(run, span, capsys):
    with pytest.raises(SystemExit) as caught:
        call(run.path, f"--epochs={span}")
    assert caught.value.code == 2
    assert f"expected FIRST-LAST, such as 6-25, got {span!r}" in capsys.readouterr().err


def test_epochs_that_were_not_kept_are_an_error_and_write_nothing(run):
    with pytest.raises(ConfigError, match="epochs 1 to 3, has 1 to 2"):
        call(run.path, "--epochs", "1-3")
    assert not run.average.exists()


def test_checkpoints_are_averaged_each_as_often_as_it_is_named(run, tmp_path):
    one, two = run.epoch(1), run.epoch(2)
    assert call(one, two, two, "--out", tmp_path / "mean.safetensors") == 0
    first, second = load_checkpoint(one).weights, load_checkpoint(two).weights
    for name, tensor in load_checkpoint(tmp_path / "mean.safetensors").weights.items():
        torch.testing.assert_close(tensor, (first[name] + 2 * second[name]) / 3)


@pytest.mark.parametrize(
    "words",
    [("one",), ("one", "--out", "mean"), ("one", "two"), ("one", "two", "--epochs", "1-2")],
    ids=["a run without epochs", "one checkpoint", "no place for it", "epochs of two runs"],
)
def test_refuses_what_does_not_say_what_to_average_and_where_to(words):
    with pytest.raises(ConfigError, match="expected the folder of"):
        call(*words)
