from ast_training.cli.main import main


def test_it_lists_recipes_and_studies_with_what_they_are(capsys):
    assert main(["recipes"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["studies/overlap.yaml"].startswith("How much patches overlap")
    assert "home.yaml" in rows


def test_it_copies_them(tmp_path, capsys):
    assert main(["recipes", "--out", str(tmp_path / "mine")]) == 0
    assert (tmp_path / "mine/studies/overlap.yaml").is_file()
    assert (tmp_path / "mine/packs/heard.csv").is_file()  # a table that packs read
    assert "files written" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["recipes", "--out", str(tmp_path / "file/mine")]) == 74
    assert "Not a directory" in capsys.readouterr().err
