import subprocess
import sys

import pytest

PROGRAM = """
import sys
from ast_edge.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""


def loaded_by(*arguments):
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return set(subprocess.run(command, stderr=subprocess.PIPE, text=True).stderr.split())


@pytest.mark.parametrize("command", ["status", "version", "fleet"])
def test_a_command_that_computes_nothing_does_not_wait_for_numpy(command):
    loaded = loaded_by(command, "--help")
    assert any(name.startswith("ast_edge.cli.") and name.endswith(command) for name in loaded)
    assert "numpy" not in loaded


def test_a_fleet_is_read_without_numpy():
    command = [sys.executable, "-c", "import sys, ast_edge.cli.fleet.view; print(*sys.modules)"]
    loaded = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert "ast_edge.fleet.inventory" in loaded
    assert "numpy" not in loaded


def test_a_command_does_not_load_another():
    loaded = loaded_by("tag", "--help")
    assert "ast_edge.cli.tag" in loaded
    assert "ast_edge.cli.evaluate" not in loaded
