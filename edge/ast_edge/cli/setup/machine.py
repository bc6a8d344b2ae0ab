"""What this machine can do: bundle, engine and hops that fit it."""

import argparse
from dataclasses import replace

from ast_edge.base.errors import BundleError, EngineError
from ast_edge.cli.setup.answers import Answers
from ast_edge.cli.setup.given import bundle_name
from ast_edge.cli.setup.talk import Talk
from ast_edge.engines.choice import ENGINES
from ast_edge.hub.trial import SHORTEST, advice, fastest, time_engines, with_one_thread
from ast_edge.model.bundle import find_bundle, load_bundle, shipped_bundles
from ast_edge.model.installed import installed_bundles


def fit_machine(answers: Answers, args: argparse.Namespace, talk: Talk) -> Answers:
    """Time a window in every engine that works here, and choose what keeps up.

    Raises:
        EngineError: none works.
    """
    if args.bundle is None and talk.asks:
        answers = replace(answers, bundle=_ask(answers.bundle, talk))
    talk.say("timing the model; this takes a moment …")
    names = [args.engine] if args.engine else list(ENGINES)
    bundle = load_bundle(find_bundle(answers.bundle))
    timings = time_engines(bundle, names)
    if not timings:
        raise EngineError(
            f"no engine of {', '.join(names)} runs {bundle.name!r} here; "
            "`ast-edge version --verbose` says what is installed"
        )
    for timing in timings:
        talk.say(f"{timing.pace.seconds:.2g} s a window: {timing.description}")
    best = fastest(timings)
    said = f"fits this machine: {', '.join(advice(timings))}"
    (talk.say if best.pace.hop else talk.warn)(said)
    if args.hop is None and talk.agrees("take that?"):
        hop, idle_hop = best.pace.hop, args.idle_hop or best.pace.idle_hop
        answers = replace(answers, hop=hop, idle_hop=idle_hop)
    if best is not timings[0]:  # the first one runs without being named
        answers = replace(answers, engine=best.engine.model_dump(exclude_defaults=True))
    if alone := with_one_thread(bundle, best, answers.hop or SHORTEST):
        talk.say(f"one thread does, for less work: {alone.pace.seconds:.2g} s a window")
        answers = replace(answers, engine={**answers.engine, "threads": 1})
    return answers


def _ask(usual: str, talk: Talk) -> str:
    known = list(shipped_bundles() | installed_bundles())
    while len(known) > 1:
        try:
            return bundle_name(talk.ask(f"which model? {', '.join(known)}", usual))
        except BundleError as exc:
            talk.warn(str(exc))
    return usual
