"""The broker: named, found or asked for, and tried at once."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ast_edge.base.errors import AstError, BrokerError
from ast_edge.base.secret_values import hide
from ast_edge.cli.setup.answers import NO_BROKER, Answers, Broker
from ast_edge.cli.setup.given import broker_at, given_password
from ast_edge.cli.setup.neighbours import Neighbour, can_look, find_neighbours
from ast_edge.cli.setup.talk import Talk
from ast_edge.doctor.broker_check import ANSWER_SECONDS, check_broker
from ast_edge.doctor.finding import Finding


def choose_broker(answers: Answers, args: argparse.Namespace, out: Path, talk: Talk) -> Answers:
    """Find out where events go, and try it.

    Raises:
        BrokerError: it cannot be used, and there is nobody who could name another.
        ConfigError, BundleError: what was given cannot be.
    """
    if args.broker is not None or not talk.asks:
        if answers.broker is None:
            talk.say("none: events go to the history and the log alone")
        elif not args.unchecked and (problem := _try(answers, out, talk)):
            raise BrokerError(f"{problem.step}: {problem.text}; nothing was written")
        return answers
    found = _look(talk)
    while True:
        try:
            candidate = replace(answers, broker=_ask(args, found, talk))
            problem = _try(candidate, out, talk)
        except AstError as exc:
            talk.warn(str(exc))
            continue
        if not problem or talk.agrees("take it nevertheless?", default=False):
            return candidate


def _try(answers: Answers, out: Path, talk: Talk) -> Finding | None:
    """Go through all that the daemon would say to it; return the first thing that fails."""
    plan, problem = answers.plan(out), None
    if plan.config.mqtt is None:
        return None
    talk.say(f"trying it, for {ANSWER_SECONDS:.0f} s at most …")
    for finding in check_broker(plan.config.mqtt, plan):
        talk.tell(finding)
        # What else it lacks is said, and the daemon goes around it.
        if not finding.well and finding.step in ("broker", "round trip"):
            problem = problem or finding
    return problem


def _ask(args: argparse.Namespace, found: Sequence[Neighbour], talk: Talk) -> Broker | None:
    question = f"address of the broker (HOST or HOST:PORT; {NO_BROKER}: do without)"
    said = talk.ask(question, "1" if found else "localhost")
    if said == NO_BROKER:
        return None
    chosen = found[int(said) - 1] if said in map(str, range(1, len(found) + 1)) else None
    user = args.user if args.user is not None else talk.ask("user name (Enter: none)", "")
    password = None
    if user:
        password = given_password(args) or talk.ask_hidden("password") or None
        if password:
            hide(password, "the password")
    if chosen is None:
        return broker_at(said, user or None, password, args)
    broker = broker_at(chosen.host, user or None, password, args)
    return replace(broker, port=chosen.port, tls=broker.tls or chosen.tls)


def _look(talk: Talk) -> list[Neighbour]:
    """List what announces itself in this network, by numbers."""
    if not can_look():
        talk.say("(with `pip install 'ast-edge[mdns]'` Home Assistant and brokers would be found)")
        return []
    found = find_neighbours()
    for number, one in enumerate(found, 1):
        port = f":{one.port}" if one.port else ""
        talk.say(f"{number:>2}  {one.host}{port}  {one.what}")
    return found
