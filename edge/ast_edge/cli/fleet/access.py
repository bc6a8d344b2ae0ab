"""Which broker has the fleet: options of a command, or the `mqtt` of a configuration."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from pydantic import ConfigDict

from ast_edge.base.errors import ConfigError
from ast_edge.base.yaml_file import Section, load_yaml, parse_tree
from ast_edge.mqtt.config import MqttConfig


class _File(Section):
    """A configuration of a node, of which nothing but the broker matters here."""

    model_config = ConfigDict(extra="ignore")

    mqtt: MqttConfig


Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_action(
    actions: Actions,
    name: str,
    command: Callable[[argparse.Namespace], int],
    what: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add an action of `ast-edge fleet`, with the options of the broker."""
    parser = actions.add_parser(
        name, help=what, description=f"{what[0].upper()}{what[1:]}.", epilog=f"example: {example}"
    )
    add_broker_options(parser)
    parser.set_defaults(command=command)
    return parser


def add_broker_options(parser: argparse.ArgumentParser) -> None:
    """Add what says where the fleet's broker is."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--config", type=Path, help="a configuration (YAML), of which `mqtt` is taken"
    )
    where.add_argument("--broker", metavar="HOST[:PORT]", help="the fleet's broker instead")
    parser.add_argument("--user", help="of the broker; AST_EDGE_MQTT_PASSWORD is its password")
    parser.add_argument("--password-file", type=Path, help="whose first line is the password")
    parser.add_argument("--tls", action="store_true", help="encrypted, by port 8883")
    parser.add_argument("--ca", type=Path, help="the authority of its certificate; means --tls")
    parser.add_argument(
        "--protocol", choices=["5", "3.1.1"], help="of MQTT; NATS and RabbitMQ want 3.1.1 (5)"
    )
    parser.add_argument("--base-topic", help="what all topics begin with (ast-edge)")


def find_broker(args: argparse.Namespace) -> MqttConfig:
    """Return how the broker is reached.

    Raises:
        ConfigError: what was given cannot be.
    """
    given = {"username": args.user, "password_file": args.password_file}
    given |= {"base_topic": args.base_topic, "protocol": args.protocol}
    if args.tls or args.ca:
        given["tls"] = {"ca": str(args.ca)} if args.ca else {}
    tree = {key: value for key, value in given.items() if value is not None}
    if args.config is not None:
        if set(tree) - {"base_topic"}:
            raise ConfigError(
                "--config: has the broker's user, password, encryption and protocol: give them "
                "there, or --broker instead"
            )
        parse_tree({"mqtt": tree}, _File, Path("--base-topic"))
        return load_yaml(args.config, _File).mqtt.model_copy(update=tree)
    host, port = _address(args.broker)
    tree |= {"host": host} | ({"port": port} if port else {})
    return parse_tree({"mqtt": tree}, _File, Path("--broker")).mqtt


def _address(text: str) -> tuple[str, int | None]:
    """Tell host and port apart; an IPv6 address with a port is in brackets."""
    found = re.fullmatch(r"\[([^\]]+)\](?::(\d{1,5}))?|([^:]+)(?::(\d{1,5}))?|([^\[\]]+)", text)
    if found is None:
        raise ConfigError(f"--broker: expected HOST, HOST:PORT or [IPv6]:PORT, got {text!r:.100}")
    port = found[2] or found[4]
    return found[1] or found[3] or found[5], int(port) if port else None
