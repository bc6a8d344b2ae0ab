"""The text of a configuration: the commented example with the answers in their places."""

from pathlib import Path

import yaml

from ast_edge.base.yaml_references import SECRET
from ast_edge.cli.setup.answers import Answers, Broker

_HEAD = "# ast-edge with a microphone. Edit what applies to you, then:\n"


def example() -> str:
    """Return the commented example: in the package, or in a checkout."""
    package = Path(__file__).parents[2]
    installed = package / "configs" / "mic.yaml"
    path = installed if installed.is_file() else package.parents[1] / "configs" / "mic.yaml"
    return path.read_text("utf-8")


def configuration_text(answers: Answers, secret: str | None) -> str:
    """Write the answers into the example; the password is named as `secret`, never written."""
    text = _put(example(), _HEAD, "# Written by `ast-edge setup`. After a change:\n")
    if answers.node:
        text = _put(text, "# node: hallway-pi", f"node: {_quoted(answers.node)}")
    text = _put(text, "  kitchen:\n", f"  {_quoted(answers.room)}:\n")
    text = _put(text, "    microphone: default", f"    microphone: {_quoted(answers.microphone)}")
    text = text.replace("{kitchen: Kitchen}", f"{{{answers.room}: Kitchen}}")  # in a comment
    if answers.labels:
        lines = "".join(f"  - {_quoted(name)}\n" for name in answers.labels)
        text = _put(text, "mqtt:\n", f"labels:\n{lines}\nmqtt:\n")
    text = _with_broker(text, answers.broker, secret)
    if answers.bundle != "home":
        text = _put(text, "# bundle: home", f"bundle: {_quoted(answers.bundle)}")
    if answers.hop is not None:
        text = _put(text, "# hop: 0.5", f"hop: {answers.hop:g}")
    if answers.idle_hop is not None:
        text = _put(text, "# idle_hop: 2.0", f"idle_hop: {answers.idle_hop:g}")
    if answers.engine:
        engine = ", ".join(f"{key}: {value}" for key, value in answers.engine.items())
        text = _put(text, "# engine: {name: auto, threads: 0}", f"engine: {{{engine}}}")
    return text


def _with_broker(text: str, broker: Broker | None, secret: str | None) -> str:
    if broker is None:
        return _put(text, "mqtt:\n  host: localhost", "# mqtt:\n#   host: localhost")
    text = _put(text, "  host: localhost", f"  host: {_quoted(broker.host)}")
    if broker.port:
        text = _put(text, "  # port: 1883", f"  port: {broker.port}")
    if broker.username is not None:
        text = _put(text, "  # username: ast-edge", f"  username: {_quoted(broker.username)}")
    if secret:
        text = _put(text, "  # password: !secret broker", f"  password: {SECRET} {secret}")
    if broker.tls or broker.ca:
        tls = f"{{ca: {_quoted(str(broker.ca), always=True)}}}" if broker.ca else "{}"
        text = _put(text, "  # tls: {}", f"  tls: {tls}")
    return text


def _put(text: str, old: str, new: str) -> str:
    """Replace what stands at the beginning of exactly one line."""
    before, found, after = f"\n{text}".partition(f"\n{old}")
    if not found or f"\n{old}" in f"\n{after}":
        raise ValueError(f"the example does not have one line that begins with {old!r}")
    return f"{before}\n{new}{after}"[1:]


def _quoted(value: str, *, always: bool = False) -> str:
    """Write text as a YAML scalar in one line that is that text, whatever is in it."""
    text = value.replace("${", "$${")  # or it would be a variable
    style = '"' if always or not text.isprintable() else None
    scalar = yaml.safe_dump(text, default_style=style, allow_unicode=True, width=float("inf"))
    return scalar.removesuffix("...\n").rstrip("\n")
