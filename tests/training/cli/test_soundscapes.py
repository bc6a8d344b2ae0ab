import csv

import pytest
from rigs.training.packs import backgrounds, two_sounds, write_recipe

from ast_training.cli.main import main


def compose(tmp_path, rooms, *options):
    packs = two_sounds(tmp_path / "sounds", test_share=0.5)
    packs |= backgrounds(tmp_path / "noise", rooms, test_share=1.0)
    config = write_recipe(tmp_path / "recipe.yaml", packs)
    return main(
        ["soundscapes", "--config", str(config), "--out", str(tmp_path / "scenes"), *options]
    )


def test_scenes_of_too_few_rooms_to_test_on_are_refused(tmp_path, capsys):
    assert compose(tmp_path, 14, "--minutes", "1") == 78
    assert "holds out 14 sources of background noise for test" in capsys.readouterr().err
    assert not (tmp_path / "scenes").exists()


@pytest.fixture
def negatives(tmp_path, capsys):
    assert compose(tmp_path, 15, "--minutes", "2", "--events", "0") == 0
    return capsys.readouterr().out


def test_the_rooms_behind_scenes_and_the_labels_with_few_sources_are_said(negatives):
    assert "2 recordings of a minute (0.0 h); background noise of 15 sources (0.1 min)" in negatives
    assert negatives.startswith("rough figures, of fewer than 5 sources: ")


def test_recordings_without_events_have_rows_without_times(negatives, tmp_path):
    with (tmp_path / "scenes" / "annotations.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [(row["filename"], row["onset"]) for row in rows] == [
        ("scene-0000.flac", ""),
        ("scene-0001.flac", ""),
    ]
