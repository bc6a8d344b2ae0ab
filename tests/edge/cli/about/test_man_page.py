"""The manual page, as the programs that show and index it read it."""

import argparse
import shutil
import subprocess

import pytest

from ast_edge.cli.about.man_page import man_page
from ast_edge.cli.main import COMMANDS, command_line, main


@pytest.fixture
def page(tmp_path, capsys):
    assert main(["manual"]) == 0
    path = tmp_path / "ast-edge.1"
    path.write_text(capsys.readouterr().out)
    return path


def shown(path):
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    command = ["groff", "-man", "-Tutf8", "-P-cbou", "-ww", "-rLL=200n", path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.replace("\u2010", "-").replace("\u2212", "-")


def test_it_has_every_command_with_its_options_and_example(page):
    text = shown(page)
    for command in COMMANDS:
        assert f"ast-edge {command}" in text
    assert "example: ast-edge bundle get audioset --precision int8" in text
    assert "--frame-curve" in text
    assert "ast-edge bundle verify" in text


def test_it_says_where_files_are_and_what_exit_codes_mean(page):
    text = shown(page)
    assert "/etc/ast-edge/mic.yaml" in text
    assert "78     a mistake in the configuration" in text


def test_apropos_finds_what_it_is(page):
    if not shutil.which("lexgrog"):
        pytest.skip("man-db is not installed")
    said = subprocess.check_output(["lexgrog", page], text=True)
    assert "ast-edge - detect sound events" in said


def test_text_that_roff_would_obey_is_shown_as_it_is(tmp_path):
    parser = argparse.ArgumentParser(prog="x", description=".so /etc/passwd\n'quoted' \\n(.x 100%")
    path = tmp_path / "x.1"
    path.write_text(man_page(parser, "1"))
    assert ".so /etc/passwd" in shown(path)
    assert "'quoted' \\n(.x 100%" in shown(path)


def test_what_argparse_hides_is_not_on_it():
    parser = command_line()
    parser.add_argument("--inner", help=argparse.SUPPRESS)
    assert "inner" not in man_page(parser, "1")
