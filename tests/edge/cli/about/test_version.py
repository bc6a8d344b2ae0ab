"""What a bug report is to begin with."""

from importlib.metadata import version

from ast_edge.cli.main import main


def printed(capsys, *arguments):
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_the_version_is_one_line(capsys):
    assert printed(capsys, "version") == f"ast-edge {version('ast-edge')}\n"


def test_verbose_names_libraries_engines_and_the_machine_each_in_a_line(capsys):
    lines = printed(capsys, "version", "--verbose").splitlines()
    rows = dict(line.split(maxsplit=1) for line in lines)
    assert f"numpy {version('numpy')}" in rows["libraries"].split(", ")
    assert rows["openvino"].startswith("CPU (")
    assert {"python", "system", "machine", "programs"} <= rows.keys()
    assert "home" in rows["bundles"]


def test_a_library_that_every_use_needs_and_is_missing_is_said(capsys, monkeypatch):
    from importlib import metadata

    monkeypatch.setattr(metadata, "requires", lambda _: ["nothing-like-it>=1", 'extra>=1 ; x=="y"'])
    lines = printed(capsys, "version", "--verbose").splitlines()
    assert "libraries   nothing-like-it MISSING" in lines
