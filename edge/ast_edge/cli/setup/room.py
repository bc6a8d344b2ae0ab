"""Where the microphone is, which names its source."""

from dataclasses import replace
from pathlib import Path

from ast_edge.base.errors import AstError
from ast_edge.cli.setup.answers import Answers
from ast_edge.cli.setup.talk import Talk


def choose_room(answers: Answers, out: Path, talk: Talk) -> Answers:
    """Ask until the name can be part of topics."""
    while True:
        room = talk.ask("which room is it in? (letters, digits, - and _)", answers.room)
        named = replace(answers, room=room)
        try:
            named.plan(out)
        except AstError as exc:
            talk.warn(str(exc))
            continue
        return named
