"""The parts of a support archive: what is asked, and what is answered when it cannot be."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ast_edge.base.errors import AstError
from ast_edge.base.printable import printable
from ast_edge.base.runtime_folder import find_sockets
from ast_edge.cli.about.redaction import ENVIRONMENT, Redaction, learn_file, read_environment
from ast_edge.cli.service_unit import NAME, PASSWORD, config_path
from ast_edge.monitoring.status_socket import ask

_SECONDS = 30.0
_PROPERTIES = (
    "ActiveState,SubState,Result,NRestarts,ExecMainStatus,StatusText,UnitFileState,FragmentPath,"
    "DropInPaths,MemoryCurrent,ActiveEnterTimestamp"
)


@dataclass(frozen=True)
class Part:
    """One file of the archive."""

    name: str
    about: str
    text: str


def gather(config: Path | None, *, lines: int, doctor: bool) -> Iterator[Part]:
    """Yield the parts, each without secrets; what cannot be had says why.

    The configuration is `config`, else that of the running daemon, else that of a service.
    """
    redaction = Redaction()
    statuses = list(_statuses())
    path = config or _configuration(statuses)
    shown = _shown(path, redaction)
    yield Part("version.txt", "versions, system, processor, engines", _versions())
    if path and shown:
        about = f"without comments and {redaction.hidden} secrets"
        yield Part("configuration.yaml", about, shown)
    if not statuses:
        statuses = ['{"error": "no daemon answers this user"}\n']
    for number, status in enumerate(statuses):
        name = f"status{number + 1 if len(statuses) > 1 else ''}.json"
        yield Part(name, "as `ast-edge status --json` prints it", redaction.text(status))
    for scope in ([], ["--user"]):
        service = _said("systemctl", *scope, "show", NAME, f"--property={_PROPERTIES}")
        log = _said("journalctl", *scope, f"--unit={NAME}", f"--lines={lines}", "--no-pager",
                    "--output=short-iso", "--quiet", "--no-hostname")  # fmt: skip
        kind = "-user" if scope else ""
        whose = "of the user's service" if scope else "of the system's service"
        if "NRestarts" in service or not scope:
            yield Part(f"service{kind}.txt", f"what systemd says {whose}", redaction.text(service))
        if log or not scope:
            text = redaction.text(log) or "no lines that this user may read\n"
            yield Part(f"log{kind}.txt", f"the last {lines} lines at most, {whose}", text)
    if doctor and path:
        yield Part("doctor.txt", "as `ast-edge doctor` prints it", redaction.text(_doctor(path)))


def _shown(path: Path | None, redaction: Redaction) -> str:
    """Return the configuration as it may be shown, having learnt what is secret in its service."""
    if path is None:
        return ""
    try:
        text = redaction.configuration(path)
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        text = f"# left out: {path}: {reason}\n"
    redaction.variables(read_environment(path.with_name(ENVIRONMENT)))
    redaction.variables(dict(os.environ))
    learn_file(PASSWORD)
    with suppress(AstError):
        _learn_files(path)
    return redaction.text(text)


def _learn_files(path: Path) -> None:
    """Hide what stands in files that the configuration names, if it can be followed.

    Raises:
        AstError: it cannot.
    """
    from ast_edge.app.config import load_config

    config = load_config(path)
    for section, key in ((config.mqtt, "password_file"), (config.web, "token_file")):
        if file := getattr(section, key, None):
            learn_file(file)


def _versions() -> str:
    from ast_edge.cli.about.version import version_text

    return version_text() + "\n"


def _statuses() -> Iterator[str]:
    """Yield the document of every daemon that answers this user."""
    for path in find_sockets():
        with suppress(OSError, ValueError):  # left behind, or another user's
            yield json.dumps(json.loads(ask(path)), indent=1, ensure_ascii=False) + "\n"


def _configuration(statuses: list[str]) -> Path | None:
    for status in statuses:
        if named := json.loads(status).get("config"):
            return Path(named)
    places = (config_path(user=user) for user in (False, True))
    return next((place for place in places if place.is_file()), None)


def _doctor(path: Path) -> str:
    """Return what the doctor finds, one line for each step."""
    from ast_edge.doctor.examination import examine

    lines = []
    for finding in examine(path):
        mark = "ok  " if finding.well else "FAIL"
        lines.append(f"{mark} {finding.step}  {printable(finding.text)}")
        if finding.remedy:
            lines.append(f"     → {printable(finding.remedy)}")
    return "\n".join(lines) + "\n"


def _said(*command: str) -> str:
    """Return what a program prints; empty if it is not there or does not answer."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"{command[0]}: {type(exc).__name__}\n"
    return done.stdout or done.stderr
