"""The manual page, made of the parsers: what `--help` says of all commands, on one page."""

import argparse
import re
from collections.abc import Iterable, Iterator

_PLACES = (
    ("/etc/ast-edge/mic.yaml", "the configuration of the system's service"),
    ("/etc/ast-edge/secrets.yaml", "what `!secret NAME` in it stands for"),
    ("/etc/ast-edge/environment", "the service's environment, NAME=value in lines"),
    ("/etc/ast-edge/mqtt-password", "password of the broker, handed over by systemd"),
    ("~/.config/ast-edge/mic.yaml", "the configuration of a user's service"),
    ("/var/lib/ast-edge, ~/.local/state/ast-edge", "state: waiting and past events, settings"),
    ("~/.local/share/ast-edge/bundles, /usr/local/share/ast-edge/bundles", "fetched models"),
)
_VARIABLES = (
    ("AST_EDGE_MQTT_PASSWORD", "password of the broker, where the configuration has none"),
    ("AST_EDGE_WEB_TOKEN", "token of the page, where the configuration has none"),
    ("HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE", "for `bundle get`, as the hub's client has them"),
)
_CODES = (
    ("0", "done"),
    ("1", "a step of `doctor` fails, or nobody answers `status`"),
    ("2", "wrong usage"),
    ("65", "damaged bundle"),
    ("66", "no such recording or device"),
    ("69", "no engine, broker, service manager or download"),
    ("74", "something cannot be written"),
    ("78", "a mistake in the configuration; nothing was started"),
    ("130", "interrupted"),
)


def man_page(parser: argparse.ArgumentParser, version: str) -> str:
    """Return the page of a command line in roff, for section 1."""
    name = parser.prog
    lines = [
        f'.TH {_text(name).upper()} 1 "" "{_text(name)} {_text(version)}" "User Commands"',
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{_text(name)} \\- {_text(_as_phrase(parser.description))}",
        ".SH SYNOPSIS",
        *_usage(parser),
        ".SH DESCRIPTION",
        _text(parser.description or ""),
        *_arguments(parser),
        ".SH COMMANDS",
        *(line for command in _commands(parser) for line in _section(command)),
    ]
    for title, rows in (("FILES", _PLACES), ("ENVIRONMENT", _VARIABLES), ("EXIT STATUS", _CODES)):
        lines += [f".SH {title}", *_listed(rows)]
    lines += [".SH SEE ALSO", ".BR systemctl (1),", ".BR journalctl (1),", ".BR mosquitto_sub (1)"]
    return "\n".join(lines) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the commands under a parser, each followed by those under it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in dict.fromkeys(action.choices.values()):
                yield command
                yield from _commands(command)


def _section(command: argparse.ArgumentParser) -> Iterator[str]:
    yield f".SS {_text(command.prog)}"
    yield from _usage(command)
    yield ".PP"
    yield _text(command.description or "")
    yield from _arguments(command)
    if command.epilog:
        yield from (".PP", ".nf", *map(_text, command.epilog.splitlines()), ".fi")


def _usage(parser: argparse.ArgumentParser) -> Iterator[str]:
    usage = " ".join(parser.format_usage().split()).removeprefix("usage: ")
    yield f".B {_text(parser.prog)}"
    # A part in brackets is not broken where it has a space.
    rest = usage.removeprefix(parser.prog).strip()
    yield re.sub(r"\[[^][]*\]", lambda part: part[0].replace(" ", "\\ "), _text(rest))


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield what a command takes; its own commands have sections, and all have `--help`."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction | argparse._HelpAction):
            continue
        if action.help == argparse.SUPPRESS:
            continue
        yield ".TP"
        yield _heading(parser, action)
        yield _text(parser._get_formatter()._expand_help(action)) if action.help else "\\&"


def _heading(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter = parser._get_formatter()
    named = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    value = formatter._format_args(action, named if isinstance(named, str) else named[0])
    if not action.option_strings:
        return f"\\fI{_text(value)}\\fR"
    options = ", ".join(f"\\fB{_text(option)}\\fR" for option in action.option_strings)
    choices = "|".join(map(str, action.choices)) if action.choices else value
    return f"{options} \\fI{_text(choices)}\\fR" if value else options


def _listed(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, meaning in rows:
        yield from (".TP", f"\\fB{_text(name)}\\fR", _text(meaning))


def _as_phrase(description: str | None) -> str:
    """Return a sentence as the line NAME has it, which `apropos` shows."""
    words = (description or "").rstrip(".")
    return words[:1].lower() + words[1:]


def _text(text: str) -> str:
    """Return a text that roff shows as it is."""
    shown = text.replace("\\", "\\e").replace("-", "\\-")
    shown = shown.replace("`", "\\(ga").replace("'", "\\(aq")
    shown = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in shown)
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in shown.split("\n"))
