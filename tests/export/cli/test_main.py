import pytest

from ast_export.cli.main import COMMANDS, main

NAMES = [command.__name__.rpartition(".")[2].rstrip("_") for command in COMMANDS]


@pytest.mark.parametrize("command", [[], *([name] for name in NAMES)])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert " ".join(["ast-export", *command]) in capsys.readouterr().out
