from ast_training.run.folder import RunFolder


def test_finds_the_epochs_that_are_kept(tmp_path):
    run = RunFolder(tmp_path)
    for number in (2, 10, 1000):
        run.epoch(number).touch()
    for name in ("epoch-003.safetensors.partial", "epoch-x.safetensors", "last.safetensors"):
        (tmp_path / name).touch()
    assert run.epochs() == {number: run.epoch(number) for number in (2, 10, 1000)}


def test_a_folder_that_is_not_there_has_no_epochs(tmp_path):
    assert RunFolder(tmp_path / "none").epochs() == {}


def test_no_two_files_have_one_place(tmp_path):
    run = RunFolder(tmp_path)
    paths = [run.last, run.best, run.average, run.metrics, run.curves, run.epoch(1), run.epoch(2)]
    assert len(set(paths)) == len(paths)
