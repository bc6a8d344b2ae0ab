"""Pack what a bug report needs into one archive without secrets, and show it before it is written.

In it are versions, the configuration without passwords, addresses of streams and comments, the
status and the last log lines of the service, and what `ast-edge doctor` finds. There is no sound in
it; events of the recent past are, with their labels and times.
"""

import argparse
import io
import logging
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ast_edge.base.errors import ConfigError
from ast_edge.base.files import atomic_file
from ast_edge.base.printable import printable
from ast_edge.evaluation.errors import OutputError

if TYPE_CHECKING:
    from ast_edge.cli.about.support_parts import Part

LINES = 500


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `support` to the sub-commands."""
    parser = commands.add_parser(
        "support",
        help="pack what a bug report needs into an archive without secrets",
        description=__doc__,
        epilog="example: sudo ast-edge support --out report.tar.gz",
    )
    parser.add_argument("--config", type=Path, help="the configuration (that of the service)")
    parser.add_argument("--out", type=Path, help="the archive to write (ast-edge-support-….tar.gz)")
    parser.add_argument(
        "--lines", type=_lines, default=LINES, help=f"of the log, at most ({LINES})"
    )
    parser.add_argument("--no-doctor", action="store_true", help="try nothing: no microphone")
    parser.add_argument("--show", action="store_true", help="print all of it, write nothing")
    parser.add_argument("--yes", action="store_true", help="write it without asking")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Gather, show, ask and write; 1 if nothing was written because nobody said yes.

    Raises:
        ConfigError: there is no such configuration.
        OutputError: the archive cannot be written, or a file is there already.
    """
    from ast_edge.cli.about.support_parts import gather

    if args.config and not args.config.is_file():
        raise ConfigError(f"{args.config}: no such file; without --config the service's is taken")
    logging.basicConfig(level=logging.CRITICAL)  # what is found out stands in the parts
    name = time.strftime("ast-edge-support-%Y%m%d-%H%M%S")
    out: Path = args.out or Path(f"{name}.tar.gz")
    if out.exists():
        raise OutputError(f"{out}: is there already; name another file with --out")
    parts = []
    for part in gather(args.config, lines=args.lines, doctor=not args.no_doctor):
        parts.append(part)
        print(f"{part.name:20}{part.text.count(chr(10)):5} lines  {part.about}", flush=True)
    if args.show:
        _show(parts)
        return 0
    if not args.yes and not _agreed(parts, out):
        print("nothing was written")
        return 1
    _write(out, name, parts)
    print(f"written: {out}; it is yours alone to read (0600) until you pass it on")
    return 0


def _agreed(parts: "Sequence[Part]", out: Path) -> bool:
    """Ask whether to write the archive, as often as all of it is to be shown first."""
    while True:
        print(f"Write {out}? y writes it, s shows all of it first [y/s/N] ", end="", flush=True)
        answer = sys.stdin.readline().strip().lower()
        if answer != "s":
            return answer in ("y", "yes")
        _show(parts)


def _show(parts: "Sequence[Part]") -> None:
    for part in parts:
        print(f"\n--- {part.name}")
        for line in part.text.splitlines():
            print(printable(line))


def _write(out: Path, folder: str, parts: "Sequence[Part]") -> None:
    now = int(time.time())
    try:
        with atomic_file(out) as partial:
            partial.unlink(missing_ok=True)
            partial.touch(mode=0o600)
            with tarfile.open(partial, "w:gz") as archive:
                for part in parts:
                    data = part.text.encode("utf-8", "replace")
                    info = tarfile.TarInfo(f"{folder}/{part.name}")
                    info.size, info.mtime, info.mode = len(data), now, 0o600
                    archive.addfile(info, io.BytesIO(data))
    except OSError as exc:
        raise OutputError(f"{out}: cannot be written: {exc.strerror or exc}") from exc


def _lines(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"expected a number of lines, 1 to 100000, got {text}")
    return int(text)
