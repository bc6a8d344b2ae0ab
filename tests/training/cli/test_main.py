import re

import pytest
from rigs.training.packs import backgrounds, two_sounds, write_recipe

from ast_training.cli.main import main


@pytest.fixture
def config(tmp_path):
    packs = two_sounds(tmp_path / "sounds")
    return write_recipe(tmp_path / "small.yaml", packs, optimizer={"epochs": 1})


@pytest.mark.parametrize(
    "command",
    [
        "",
        "prepare",
        "import",
        "fit",
        "evaluate",
        "average",
        "ensemble",
        "ablate",
        "calibrate",
        "export-hf",
        "push",
    ],
)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command.split(), "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: ast-train {command}")


def test_trains_and_calibrates(tmp_path, capsys):
    packs = two_sounds(tmp_path / "sounds", test_share=0.25)
    packs |= backgrounds(tmp_path / "noise", test_share=1.0)
    config = write_recipe(tmp_path / "small.yaml", packs, optimizer={"epochs": 1})
    run = tmp_path / "run"
    assert main(["fit", "--config", str(config), "--out", str(run), "--threads", "1"]) == 0
    assert f"{run}/best.safetensors: the best by map\n" in capsys.readouterr().out
    calibrate = ["calibrate", str(run / "best.safetensors"), "--config", str(config)]
    assert main([*calibrate, "--windows", "8"]) == 0
    rows = capsys.readouterr().out.splitlines()
    words = ["label", "Whistle", "Hum", "mean", "macro", "rough", "wrote"]
    assert [row.split()[0] for row in rows] == words
    assert re.search(r"macro AP 0\.[0-9]+ \(.* 95 %\) on [0-9]+ test recordings", rows[4])
    assert rows[5].startswith("rough figures, of fewer than 5 sources: Whistle (")


def test_a_bad_recipe_is_one_line_and_exit_78(tmp_path, capsys):
    assert main(["fit", "--config", str(tmp_path / "none.yaml")]) == 78
    assert capsys.readouterr().err.startswith(f"ast-train: {tmp_path}/none.yaml: cannot be read")


def test_stopping_it_is_no_error_with_a_traceback(config, capsys, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("ast_training.run.fit.fit", interrupt)
    assert main(["fit", "--config", str(config)]) == 130
    assert capsys.readouterr().err == "ast-train: stopped; the same command goes on from here\n"


def test_a_bad_checkpoint_is_one_line_and_exit_65(config, tmp_path, capsys):
    (tmp_path / "bad.safetensors").write_bytes(b"bad")
    status = main(["calibrate", str(tmp_path / "bad.safetensors"), "--config", str(config)])
    assert status == 65
    assert "not a readable checkpoint" in capsys.readouterr().err


def test_a_file_in_place_of_the_folder_is_one_line_and_exit_74(config, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["fit", "--config", str(config), "--out", str(tmp_path / "file")]) == 74
    assert capsys.readouterr().err.splitlines() == [f"ast-train: {tmp_path}/file: File exists"]
