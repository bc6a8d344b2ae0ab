import argparse
import json
from pathlib import Path

import pytest
from rigs.training.clips import clip_recipe, tones
from sklearn.metrics import average_precision_score

from ast_edge.base.errors import ConfigError
from ast_training.cli import evaluate
from ast_training.measure.predictions import load_predictions
from ast_training.run.fit import fit
from ast_training.run.folder import RunFolder


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run of one epoch on tones."""
    from rich.console import Console

    folder = tmp_path_factory.mktemp("evaluate")
    recipe = clip_recipe(tones(folder / "tones"), optimizer={"epochs": 1})
    fit(recipe, RunFolder(folder / "run"), Console(quiet=True))
    return folder / "run"


def run(*arguments):
    parser = argparse.ArgumentParser()
    evaluate.add_parser(parser.add_subparsers())
    args = parser.parse_args(["evaluate", *map(str, arguments)])
    return args.command(args)


def test_writes_figures_that_scikit_learn_gives_for_the_predictions(run_folder, tmp_path, capsys):
    assert run(run_folder / "best.safetensors", "--out", tmp_path) == 0
    predictions = load_predictions(tmp_path / "predictions.safetensors")
    golden = average_precision_score(predictions.targets, predictions.logits, average="macro")
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["metrics"]
    assert metrics["macro_ap"] == pytest.approx(golden, abs=1e-4)
    assert f"{golden:.4f}" in capsys.readouterr().out


def test_writes_a_report_beside_the_checkpoint(run_folder):
    run(run_folder / "best.safetensors")
    page = (run_folder / "best" / "report.html").read_text(encoding="utf-8")
    assert "Whistle" in page
    assert page.count("<svg") + page.count("data:image/png") > 4


def test_measures_on_the_split_that_is_asked_for(run_folder, tmp_path):
    run(run_folder / "best.safetensors", "--split", "train", "--out", tmp_path)
    assert len(load_predictions(tmp_path / "predictions.safetensors").clips) == 9


def test_a_checkpoint_without_a_recipe_needs_one(tmp_path):
    from rigs.training.checkpoints import random_checkpoint

    random_checkpoint(recipe={}).save(Path(tmp_path / "imported.safetensors"))
    with pytest.raises(ConfigError, match="holds no recipe; give --config"):
        run(tmp_path / "imported.safetensors")
