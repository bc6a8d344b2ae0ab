"""What is to be reported: named, or ticked after listening for a while."""

from collections.abc import Sequence

from ast_edge.base.errors import BundleError
from ast_edge.cli.listen import show_heard
from ast_edge.cli.setup.answers import Answers
from ast_edge.cli.setup.talk import Talk
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.model.bundle import Bundle, find_bundle, load_bundle
from ast_edge.sources.microphone import MicrophoneSource

EVERYTHING = "all"
SHOWN = 12
"""Labels that are offered to be ticked; any other can be named."""


def parse_labels(text: str, bundle: Bundle) -> tuple[str, ...]:
    """Read names that commas or semicolons separate, and that may have commas in them.

    Raises:
        BundleError: one is no label, with the nearest match.
    """
    if text.strip().casefold() in ("", EVERYTHING):
        return ()
    found: dict[str, None] = {}
    for part in text.split(";"):
        words = part.split(",")
        while words:
            lengths = range(len(words), 0, -1)
            tries = ((n, bundle.find(",".join(words[:n]).strip())) for n in lengths)
            length, label = next(((n, label) for n, label in tries if label), (1, None))
            name = words[0].strip()
            if label or name:
                found[(label or bundle.label(name)).name] = None
            words = words[length:]
    return tuple(found)


def choose_labels(answers: Answers, seconds: float, talk: Talk) -> tuple[str, ...]:
    """Show what is heard, and return the names of what is ticked; none for all."""
    bundle = load_bundle(find_bundle(answers.bundle))
    heard: dict[str, float] = {}
    if seconds > 0:
        talk.say(f"make the sounds that you care about: {seconds:.0f} s, or Enter goes on")
        engine = open_engine(bundle, EngineConfig.model_validate(dict(answers.engine)))
        source = MicrophoneSource("setup", answers.microphone)
        try:
            heard = show_heard(
                *(source, bundle, engine, answers.hop or 0.5),
                seconds=seconds,
                until=talk.enough,
                hint="Enter goes on",
            )
        finally:
            engine.close()
    names = sorted((label.name for label in bundle.labels), key=lambda name: -heard.get(name, 0.0))
    return _tick(names[:SHOWN], heard, bundle, talk)


def _tick(
    offered: Sequence[str], heard: dict[str, float], bundle: Bundle, talk: Talk
) -> tuple[str, ...]:
    """Let labels be ticked and unticked by their numbers or names until nothing is said."""
    shown, ticked = list(offered), dict[str, None]()
    while True:
        for number, name in enumerate(shown, 1):
            mark = "x" if name in ticked else " "
            talk.say(f"[{mark}] {number:>2}  {heard.get(name, 0.0):4.2f}  {name}")
        talk.say(f"{len(ticked) or 'none is ticked: all'} of {len(bundle.labels)} are reported")
        said = talk.ask("numbers or names to tick or untick; Enter when that is all", "")
        if not said:
            return tuple(ticked)
        try:
            chosen = _meant(said, shown, bundle)
        except BundleError as exc:
            talk.warn(str(exc))
            continue
        for name in chosen:
            if name in ticked:
                del ticked[name]
            else:
                ticked[name] = None
            if name not in shown:
                shown.append(name)


def _meant(said: str, shown: Sequence[str], bundle: Bundle) -> tuple[str, ...]:
    numbers = said.replace(",", " ").split()
    if all(word.isdecimal() and 1 <= int(word) <= len(shown) for word in numbers):
        return tuple(shown[int(word) - 1] for word in dict.fromkeys(numbers))
    return parse_labels(said, bundle)
