"""Install ast-edge as a service of systemd, and start it; --dry-run shows what that would do."""

import argparse
import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ast_edge.cli.service_unit import File


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `install-service` to the sub-commands."""
    parser = commands.add_parser(
        "install-service",
        help="run as a service from now on",
        description=__doc__,
        epilog="example: sudo /opt/ast-edge/bin/ast-edge install-service --config my.yaml",
    )
    parser.add_argument(
        "--config", type=Path, help="is copied to where the service reads it (see --dry-run)"
    )
    parser.add_argument("--user", action="store_true", help="for PipeWire: of this user's session")
    parser.add_argument("--gpu", action="store_true", help="let it use a GPU or NPU")
    parser.add_argument("--remove", action="store_true", help="stop it and remove its units")
    parser.add_argument("--dry-run", action="store_true", help="print, and change nothing")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Write the units and the configuration, and start the service.

    Raises:
        ConfigError: the configuration cannot be run, or root is needed.
        ServiceError: systemd refuses.
    """
    from ast_edge.base.errors import ConfigError
    from ast_edge.cli import service_unit

    if not args.user and os.geteuid() != 0 and not args.dry_run:
        raise ConfigError("the system's service is for root to install: use sudo, or --user")
    control = ["systemctl", "--user"] if args.user else ["systemctl"]
    executable = service_unit.program()
    password = service_unit.PASSWORD.exists()
    files = (
        service_unit.user_unit(executable)
        if args.user
        else service_unit.system_unit(executable, gpu=args.gpu, password=password)
    )
    if args.remove:
        units = [service_unit.File(file.path, None) for file in files]
        steps = [[*control, "disable", "--now", service_unit.NAME]]
        _do(steps, [], dry_run=args.dry_run)
        _do([[*control, "daemon-reload"]], units, dry_run=args.dry_run)
        return 0
    files = [*_configuration(args.config, user=args.user), *files]
    steps = [
        [*control, "daemon-reload"],
        [*control, "enable", service_unit.NAME],
        [*control, "restart", service_unit.NAME],
    ]
    _do(steps, files, dry_run=args.dry_run)
    if not args.dry_run:
        print(f"running; see: {' '.join(control)} status ast-edge, and ast-edge status")
    return 0


def _configuration(given: Path | None, *, user: bool) -> "list[File]":
    """Check the configuration, and return it as a file to write if it is another's.

    Raises:
        ConfigError: there is none, or it cannot be run, also where it will stand.
    """
    from ast_edge.app.config import Config
    from ast_edge.app.plan import load_plan
    from ast_edge.base.errors import BundleError, ConfigError
    from ast_edge.base.text_file import read_text
    from ast_edge.base.yaml_file import parse_tree, read_tree
    from ast_edge.base.yaml_references import SECRET, SECRETS
    from ast_edge.cli import service_unit
    from ast_edge.model.bundle import find_bundle

    place = service_unit.config_path(user=user)
    source = given or place
    if not source.exists():
        raise ConfigError(f"{source}: no such file: write it, or name yours with --config")
    load_plan(source)
    # Paths in it are relative to it: what is found here must be found there as well.
    tree = read_tree(source)
    assert isinstance(tree, dict)
    try:
        config = parse_tree(tree, Config, place)
        bundles = [find_bundle(name) for name in config.bundles.values()]
        paths = [*service_unit.paths_in(config), *bundles]
    except (ConfigError, BundleError) as exc:
        raise ConfigError(f"{exc}; the service reads it from {place}: give whole paths") from exc
    hidden = [] if user else [str(path) for path in paths if service_unit.is_hidden(path)]
    if hidden:
        raise ConfigError(f"{source}: the service cannot see {', '.join(hidden)}: use /srv or /etc")
    if source.resolve() == place.resolve():
        return []
    group = None if user else service_unit.GROUP
    copies, secrets = {place: read_text(source)}, source.with_name(SECRETS)
    if f"{SECRET} " in copies[place] and secrets.exists():
        copies[place.with_name(SECRETS)] = read_text(secrets)
    # Addresses of cameras in it hold passwords.
    mode = 0o640 if group else 0o600
    return [service_unit.File(path, text, mode, group) for path, text in copies.items()]


def _do(steps: Sequence[Sequence[str]], files: "Sequence[File]", *, dry_run: bool) -> None:
    """Write and remove files, then run the steps; or print all that.

    Raises:
        ServiceError: a step fails, or a file cannot be written.
    """
    from ast_edge.base.errors import ServiceError

    for file in files:
        if file.text is None and not file.path.exists():
            continue
        print(f"{'remove' if file.text is None else 'write '}  {file.path}")
        if dry_run:
            continue
        try:
            _place(file)
        except OSError as exc:
            raise ServiceError(f"{file.path}: cannot be written: {exc.strerror}") from exc
        except LookupError as exc:
            raise ServiceError(f"{file.path}: cannot be written: {exc.args[0]}") from exc
    for step in steps:
        print(f"run     {' '.join(step)}")
        if dry_run:
            continue
        try:
            done = subprocess.run(step, capture_output=True, text=True, check=False)
        except FileNotFoundError as exc:
            raise ServiceError(f"{step[0]}: not found: this machine has no systemd") from exc
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise ServiceError(
                f"{' '.join(step)}: {said[0] if said else done.returncode}; see: journalctl "
                f"{'--user ' if '--user' in step else ''}-u ast-edge -n 20"
            )


def _place(file: "File") -> None:
    """Write a file as a whole, or remove it."""
    if file.text is None:
        file.path.unlink()
        with contextlib.suppress(OSError):  # the folder of drop-ins may hold the user's own
            file.path.parent.rmdir()
        return
    file.path.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.path.with_name(f".{file.path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    with fresh.open("w", encoding="utf-8") as text:
        text.write(file.text)
        text.flush()
        os.fsync(text.fileno())
    if file.group:
        shutil.chown(fresh, group=file.group)
    fresh.chmod(file.mode)
    fresh.replace(file.path)
