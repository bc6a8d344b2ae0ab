"""What the options answer, checked before anything is asked or tried."""

import argparse
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.base.secret_values import hide
from ast_edge.base.text_file import read_text
from ast_edge.cli.setup.answers import NO_BROKER, Answers, Broker, parse_broker
from ast_edge.cli.setup.labels import parse_labels
from ast_edge.model.bundle import find_bundle, load_bundle, shipped_bundles
from ast_edge.model.installed import installed_bundles


def as_given(args: argparse.Namespace, out: Path) -> Answers:
    """Return what the options say; the rest is usual.

    Raises:
        ConfigError, BundleError: one of them cannot be, or not with another.
    """
    name = bundle_name(args.bundle or "home")
    labels = parse_labels(args.labels or "", load_bundle(find_bundle(name)))
    answers = Answers(
        microphone=args.microphone or "default",
        room=args.room or "room",
        node=args.node,
        broker=_broker(args),
        labels=labels,
        bundle=name,
        hop=args.hop,
        idle_hop=args.idle_hop,
        engine={"name": args.engine} if args.engine else {},
    )
    answers.plan(out)
    return answers


def bundle_name(name: str) -> str:
    """Return the name of a bundle, or the whole path of its folder.

    Raises:
        BundleError: there is none of that name.
    """
    known = installed_bundles() | shipped_bundles()
    return name if name in known else str(find_bundle(name).resolve())


def broker_at(
    text: str, user: str | None, password: str | None, args: argparse.Namespace
) -> Broker:
    """Return the broker at an address, with the encryption that the options ask for."""
    host, port = parse_broker(text)
    ca = args.ca.expanduser().resolve() if args.ca else None  # wherever the file is copied to
    return Broker(host, port, args.tls, ca, user, password)


def given_password(args: argparse.Namespace) -> str | None:
    """Return the first line of the file that holds the password, if one is given.

    Raises:
        ConfigError: there is none.
    """
    path = args.password_file
    if path is None:
        return None
    try:
        password = read_text(path).split("\n", 1)[0].rstrip("\r")
    except OSError as exc:
        raise ConfigError(f"--password-file: {path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"--password-file: {path} is not UTF-8 text") from exc
    if not password:
        raise ConfigError(f"--password-file: {path} must hold the password in its first line")
    hide(password, "the password")
    return password


def _broker(args: argparse.Namespace) -> Broker | None:
    """Return the broker that is named; unattended, one on this machine unless one is."""
    named = args.broker or ("localhost" if args.yes else None)
    if named is None or named == NO_BROKER:
        if named and (args.user is not None or args.password_file or args.tls or args.ca):
            raise ConfigError("--user, --password-file, --tls and --ca are for a broker, not none")
        return None
    if args.password_file and args.user is None:
        raise ConfigError("--password-file is given without --user: give both")
    return broker_at(named, args.user, given_password(args), args)
