import pytest

from ast_edge.evaluation.errors import OutputError
from ast_edge.evaluation.view.output import write_output


def test_the_file_before_stays_as_a_backup_with_its_mode(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("old")
    path.chmod(0o600)
    write_output(path, "new", backup=True)
    assert (path.read_text(), (tmp_path / "c.yaml.bak").read_text()) == ("new", "old")
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_output(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OutputError, match=r"cannot be written: No such file"):
        write_output(tmp_path / "none" / "a.json", "{}")
