"""The service, which runs what was written from now on."""

import argparse
import os
from pathlib import Path

from ast_edge.base.yaml_references import SECRETS
from ast_edge.cli import install_service
from ast_edge.cli.service_unit import config_path
from ast_edge.cli.setup.files import keep
from ast_edge.cli.setup.talk import Talk


def offer_service(given: str | None, out: Path, talk: Talk) -> None:
    """Install and start it if that is wanted, else say how.

    Raises:
        AstError: it cannot be installed; what was written stays.
    """
    root = os.geteuid() == 0
    kind = given
    if kind is None:
        usual = "system" if root else "user"
        wanted = talk.asks and talk.agrees(f"run it as a service of this {usual} from now on?")
        kind = usual if wanted else "none"
    if kind == "none":
        sudo = "" if root else "sudo "
        talk.say(f"try it:               ast-edge run --config {out}")
        talk.say(f"as a service, later:  {sudo}ast-edge install-service --config {out}")
        return
    _keep_what_is_there(out, user=kind == "user", talk=talk)
    install_service.run(
        argparse.Namespace(config=out, user=kind == "user", gpu=False, remove=False, dry_run=False)
    )


def _keep_what_is_there(out: Path, *, user: bool, talk: Talk) -> None:
    """Keep the service's own files beside themselves, where others would take their places."""
    place = config_path(user=user)
    for ours, theirs in ((out, place), (out.with_name(SECRETS), place.with_name(SECRETS))):
        if not (ours.exists() and theirs.exists()) or ours.resolve() == theirs.resolve():
            continue
        if ours.read_bytes() != theirs.read_bytes():
            talk.say(f"the service's {theirs.name} is kept as {keep(theirs)}")
