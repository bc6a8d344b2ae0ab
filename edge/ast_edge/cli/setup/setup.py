"""Set up a microphone, a broker and a service: asks for what is not given, tries it, writes it.

Nothing is written before all is known; Ctrl-C leaves everything as it was. A configuration that
is there already is kept beside the new one, and the password goes to secrets.yaml beside it, for
its owner alone.
"""

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ast_edge.cli.terminal import hop, non_negative

if TYPE_CHECKING:
    from ast_edge.cli.setup.answers import Answers
    from ast_edge.cli.setup.talk import Talk

_EPILOG = """\
examples:
  ast-edge setup
  ast-edge setup --microphone usb --broker homeassistant.local --user ast-edge \\
      --password-file broker-password --labels "Dog,Speech" --out mic.yaml --yes
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `setup` to the sub-commands."""
    parser = commands.add_parser(
        "setup",
        help="from nothing to a running service, by questions",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("mic.yaml"), help="(mic.yaml)")
    parser.add_argument(
        "--yes", action="store_true", help="ask nothing; what is not given is usual"
    )
    parser.add_argument("--microphone", metavar="NAME", help="a part of its name will do (default)")
    parser.add_argument("--room", metavar="NAME", help="where it is: names the source (room)")
    parser.add_argument("--node", metavar="NAME", help="of this machine in topics (its host name)")
    parser.add_argument(
        "--broker", metavar="HOST[:PORT]", help="(localhost), or none: do without a broker"
    )
    parser.add_argument("--user", metavar="NAME", help="at the broker")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="its first line is the broker's password"
    )
    parser.add_argument("--tls", action="store_true", help="encrypt, and verify the broker")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="by this authority (the system's)")
    parser.add_argument(
        "--labels", metavar="NAMES", help='what to report, as in "Dog,Speech" (all)'
    )
    parser.add_argument(
        "--listen", type=non_negative, default=60.0, metavar="SECONDS", help="before labels (60)"
    )
    parser.add_argument("--bundle", metavar="NAME", help="the model: a name or a folder (home)")
    parser.add_argument(
        "--engine",
        choices=["auto", "tensorrt", "openvino", "onnxruntime"],
        help="(the one that is fastest here)",
    )
    parser.add_argument("--hop", type=hop, metavar="SECONDS", help="between looks (what fits)")
    parser.add_argument("--idle-hop", type=hop, metavar="SECONDS", help="while nothing sounds")
    parser.add_argument(
        "--service", choices=["none", "user", "system"], help="install it and start it (none)"
    )
    parser.add_argument(
        "--unchecked",
        action="store_true",
        help="write it although microphone or broker are not there now",
    )
    parser.set_defaults(command=run, refuse=parser.error)


def run(args: argparse.Namespace) -> int:
    """Ask, try, write, and start the service; 130 if Ctrl-C ended it.

    Raises:
        AstError: something cannot be used, and nobody is there to choose another.
    """
    from ast_edge.cli.setup.files import put_files
    from ast_edge.cli.setup.service import offer_service
    from ast_edge.cli.setup.talk import Talk
    from ast_edge.cli.setup.text import configuration_text

    asks = not args.yes
    if asks and not (sys.stdin.isatty() and sys.stdout.isatty()):
        args.refuse("expected a terminal to ask questions at, got none: use --yes and options")
    logging.basicConfig(level=logging.CRITICAL)  # what goes wrong is said as an answer
    talk, written = Talk(asks=asks), False
    try:
        out = _place(args.out)
        answers = _answers(args, out, talk)
        talk.step("Writing")
        secret, secrets = _secret(answers, out)
        text = configuration_text(answers, secret)
        if not talk.agrees(f"write {out}?"):
            talk.say("nothing was written")
            return 1
        kept = put_files(out, text, secrets)
        written = True
        talk.say(f"written: {out}" + (f"; the one before is {kept}" if kept else ""))
        if secrets:
            talk.say(f"the password is in {out.with_name('secrets.yaml')}, yours alone to read")
        talk.step("Service")
        offer_service(args.service, out, talk)
    except (KeyboardInterrupt, EOFError):
        print()
        talk.warn(f"stopped; {args.out} is written" if written else "stopped; nothing was written")
        return 130
    return 0


def _answers(args: argparse.Namespace, out: Path, talk: "Talk") -> "Answers":
    """Go through the questions, in an order in which each can be tried at once."""
    from ast_edge.cli.setup.broker import choose_broker
    from ast_edge.cli.setup.given import as_given
    from ast_edge.cli.setup.labels import choose_labels
    from ast_edge.cli.setup.machine import fit_machine
    from ast_edge.cli.setup.microphone import choose_microphone
    from ast_edge.cli.setup.room import choose_room

    answers = as_given(args, out)
    talk.step("Microphone")
    microphone = choose_microphone(args.microphone, talk, untried=args.unchecked)
    answers = replace(answers, microphone=microphone)
    if talk.asks and args.room is None:
        answers = choose_room(answers, out, talk)
    talk.step("Model and machine")
    answers = fit_machine(answers, args, talk)
    talk.step("Sounds")
    if talk.asks and args.labels is None:
        answers = replace(answers, labels=choose_labels(answers, args.listen, talk))
    talk.say(f"reported: {'; '.join(answers.labels) or 'all that the model knows'}")
    talk.step("Broker")
    answers = choose_broker(answers, args, out, talk)
    answers.plan(out)  # whatever came together
    return answers


def _place(out: Path) -> Path:
    """Return where the configuration goes.

    Raises:
        OutputError: it cannot be there.
    """
    from ast_edge.cli.service_unit import config_path
    from ast_edge.evaluation.errors import OutputError

    if out.resolve() == config_path(user=False):  # there the password has other readers
        raise OutputError(f"{out}: write it elsewhere; the service's installation copies it there")
    if out.is_dir() or not out.parent.is_dir():
        raise OutputError(f"{out}: expected a file to write in a folder that exists")
    return out


def _secret(answers: "Answers", out: Path) -> tuple[str | None, str | None]:
    """Return the name of the password beside the configuration, and the text of its file."""
    from ast_edge.cli.setup.files import add_secret

    if answers.broker is None or answers.broker.password is None:
        return None, None
    secret = add_secret(out.resolve(), answers.broker.password)
    return secret.name, secret.text
