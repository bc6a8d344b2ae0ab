"""What shells are told, as they understand it."""

import shutil
import subprocess

import pytest

from ast_edge.cli.about.completion import SHELLS
from ast_edge.cli.main import main

pytest.importorskip("shtab", reason="shtab is not installed: run `make test`, or scripts/venv dev")

ASK = """\
source {script}
COMP_WORDS=({words} "")
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_shtab_ast_edge 2>/dev/null
echo "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def script(tmp_path, capsys):
    """Write the script of a shell."""

    def write(shell):
        assert main(["completion", shell]) == 0
        path = tmp_path / f"ast-edge.{shell}"
        path.write_text(capsys.readouterr().out)
        return path

    return write


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_takes_its_script(shell, script):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n", script(shell)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("ast-edge", {"run", "completion", "install-service"}),
        ("ast-edge bundle", {"get", "verify"}),
        ("ast-edge bundle get --precision", {"fp16", "int8"}),
        ("ast-edge run --config", {"here.yaml"}),
    ],
)
def test_bash_completes_commands_choices_and_files(words, wanted, script, tmp_path):
    (tmp_path / "here.yaml").touch()
    ask = ASK.format(script=script("bash"), words=words)
    said = subprocess.check_output(["bash", "-c", ask], text=True, cwd=tmp_path)
    assert wanted <= set(said.split())
