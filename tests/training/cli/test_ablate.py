import argparse

import pytest
from rigs.training.studies import write_study

from ast_edge.base.errors import AstError, ConfigError
from ast_training.cli import ablate


def call(*words):
    parser = argparse.ArgumentParser()
    ablate.add_parser(parser.add_subparsers())
    args = parser.parse_args(["ablate", *map(str, words)])
    return args.command(args)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A checkout with one study among its configurations."""
    monkeypatch.chdir(tmp_path)
    study = write_study(
        tmp_path, seeds=[1], folds=[], ensembles={}, paper={"whole": "mAP 0.5", "halves": "mAP 0.4"}
    )
    ablate.STUDIES.mkdir(parents=True)
    tree = study.read_text(encoding="utf-8").replace("recipe.yaml", str(tmp_path / "recipe.yaml"))
    (ablate.STUDIES / "shape.yaml").write_text(tree, encoding="utf-8")
    return tmp_path


def test_finds_a_study_by_its_name_and_prints_the_figures_of_the_paper(root, capsys):
    assert call("shape", "--threads", "1") == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[:2] + row[-1:] for row in cells] == [
        ["model", "weights", "paper"],
        ["whole", "last epoch", "mAP 0.5"],
        ["whole", "averaged", "mAP 0.5"],
        ["halves", "last epoch", "mAP 0.4"],
        ["halves", "averaged", "mAP 0.4"],
    ]


def test_a_name_that_is_wrong_gets_the_nearest(root):
    with pytest.raises(ConfigError, match="no study 'shapes', did you mean 'shape'"):
        call("shapes")


def test_a_study_may_lie_anywhere(root):
    (root / "elsewhere.yaml").write_text("{name: x, recipe: recipe.yaml}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"elsewhere\.yaml: members: Field required"):
        call(root / "elsewhere.yaml")


def test_a_study_that_ships_is_found_outside_of_a_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AstError, match=r"configs/train/studies/\S*pretrained/deit\S*: cannot be"):
        call("overlap", "--threads", "1")
    assert (tmp_path / "configs/train/studies/overlap.yaml").is_file()


def test_a_typo_outside_of_a_checkout_gets_the_nearest_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no study 'overlop', did you mean 'overlap'"):
        call("overlop")
    assert list(tmp_path.iterdir()) == []
