"""Print what lets a shell complete `ast-edge`: commands, options, choices and file names."""

import argparse
from pathlib import Path

from ast_edge.cli.archive.bulk import local_folder, path_or_address

SHELLS = ("bash", "zsh", "fish")
_PATHS = (Path, path_or_address, local_folder)
"""Types of arguments that are completed as paths."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `completion` to the sub-commands."""
    parser = commands.add_parser(
        "completion",
        help="print what lets a shell complete commands and options",
        description=f"{__doc__} The Debian package and scripts/install put it in its place.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  ast-edge completion bash > ~/.local/share/bash-completion/completions/ast-edge\n"
        "  ast-edge completion fish > ~/.config/fish/completions/ast-edge.fish\n"
        "  ast-edge completion zsh > ~/.zfunc/_ast-edge    # with `fpath+=~/.zfunc` in .zshrc",
    )
    parser.add_argument("shell", choices=SHELLS, help="which shell")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print the script for a shell."""
    from ast_edge.cli.main import command_line

    print(completion(command_line(), args.shell), end="")
    return 0


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script by which a shell completes a command line."""
    import shtab

    _mark_files(parser, shtab.FILE)
    return str(shtab.complete(parser, shell))


def _mark_files(parser: argparse.ArgumentParser, file: object) -> None:
    """Let the paths of a command and of all under it be completed as such."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                command = action.choices[choice.dest]
                command.description = choice.help  # a few words fit beside a name
                _mark_files(command, file)
        elif action.type in _PATHS:
            action.complete = file  # type: ignore[attr-defined]
