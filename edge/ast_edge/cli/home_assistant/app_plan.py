"""The plan of the Home Assistant app: of its options, and of the user's own file."""

import logging
from pathlib import Path

from ast_edge.app.config import Config
from ast_edge.app.plan import Plan, make_plan
from ast_edge.base.errors import ConfigError
from ast_edge.base.yaml_file import parse_tree
from ast_edge.home_assistant.app_options import configuration, read_options
from ast_edge.sources.missing import what_is_missing
from ast_edge.sources.pulse_source import ServerFault, list_pulse_sources

OPTIONS = "options.json"
"""In the app's data folder, written by the Supervisor."""
OWN = ("ast-edge.yaml", "ast-edge.yml")
"""In the app's configuration folder, written by the user."""

log = logging.getLogger(__name__)


def load_app_plan(options: Path, folder: Path) -> Plan:
    """Read the options and, where there is one, the user's file in `folder`, which wins.

    Nothing is written: what the Supervisor tells stays in memory.

    Raises:
        ConfigError: for anything in them that cannot be, in one line.
        BundleError: if a bundle is damaged.
    """
    own = next((path for name in OWN if (path := folder / name).exists()), None)
    blamed = own or options
    try:
        tree = configuration(read_options(options), own)
    except ConfigError as exc:
        if str(blamed) in str(exc) or str(options) in str(exc):
            raise
        raise ConfigError(f"{options}: {exc}") from exc
    # Paths in it are beside the user's file, whether or not there is one.
    return make_plan(parse_tree(tree, Config, blamed if own else folder / options.name), blamed)


def say_microphones() -> None:
    """Log the names that the option `microphone` takes, where the app's user looks for them."""
    try:
        names = [source.name for source in list_pulse_sources()]
    except ServerFault:
        names = []
    if names:
        log.info("microphones of this machine: %s", ", ".join(names))
    else:
        log.warning("no microphone: %s", what_is_missing())
