"""What a bug report needs to know of this installation and of the machine."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from ast_edge import __version__

_PROGRAMS = {"ffmpeg": "-version", "pactl": "--version", "arecord": "--version"}
_SECONDS = 10.0


def versions() -> list[tuple[str, str]]:
    """Return lines of what and its version; nothing names the machine or its user's files."""
    return [
        ("ast-edge", f"{__version__}, {_installed()}"),
        ("python", f"{platform.python_version()} ({platform.python_implementation()})"),
        ("system", _system()),
        ("machine", _machine()),
        ("libraries", _libraries()),
        *_engines(),
        ("programs", _programs()),
        ("bundles", _bundles()),
    ]


def _installed() -> str:
    """Say how ast-edge came here."""
    place = Path(sys.prefix)
    if Path("/var/lib/dpkg/info/ast-edge.list").exists() and place == Path("/opt/ast-edge"):
        return "from the Debian package"
    origin = json.loads(metadata.distribution("ast-edge").read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        return f"from a checkout{_commit()}"
    marks = {"pipx_metadata.json": "pipx", "uv-receipt.toml": "uv tool"}
    return f"by {next((kind for mark, kind in marks.items() if (place / mark).exists()), 'pip')}"


def _commit() -> str:
    folder = Path(__file__).parent
    said = _said("git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12")
    return f" at {said}" if said else ""


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = "Linux"
    inside = _said("systemd-detect-virt") or ("container" if _in_container() else "")
    where = f", in {inside}" if inside not in ("", "none") else ""
    libc = " ".join(platform.libc_ver()).strip()
    return f"{name}, kernel {platform.release()}, {libc}{where}"


def _in_container() -> bool:
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def _machine() -> str:
    """Say which processor and board it is, and how much memory it has."""
    processor = _first(Path("/proc/cpuinfo"), r"(?m)^model name\s*: (.+)$")
    board = _first(Path("/proc/device-tree/model"), r"([^\0]+)")
    memory = _first(Path("/proc/meminfo"), r"MemTotal:\s*(\d+)")
    cores = len(os.sched_getaffinity(0))
    parts = [platform.machine(), board, processor, f"{cores} of {os.cpu_count()} cores"]
    parts += [f"{int(memory) / 2**20:.1f} GiB"] if memory else []
    return ", ".join(part for part in parts if part)


def _first(path: Path, pattern: str) -> str:
    try:
        found = re.search(pattern, path.read_text("utf-8", "replace"))
    except OSError:
        return ""
    return found[1].strip() if found else ""


def _libraries() -> str:
    """List the libraries that are installed, and what every use needs and is not here."""
    found: dict[str, str] = {}
    for line in metadata.requires("ast-edge") or ():
        name = re.split(r"[^\w.-]", line)[0]
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            if ";" not in line:
                found[name] = "MISSING"
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def _engines() -> list[tuple[str, str]]:
    """Say which devices the engines find; asking them takes their libraries into this process."""
    lines = []
    for name, devices in (("openvino", _openvino_devices), ("onnxruntime", _onnxruntime_devices)):
        try:
            lines.append((name, ", ".join(devices())))
        except ModuleNotFoundError:
            continue  # an extra
        except Exception as exc:  # noqa: BLE001 (what a driver raises is what the report is for)
            lines.append((name, f"fails: {type(exc).__name__}: {exc}"))
    return lines


def _openvino_devices() -> list[str]:
    from ast_edge.engines.openvino import shared_core

    core = shared_core()
    return [
        f"{name} ({core.get_property(name, 'FULL_DEVICE_NAME')})" for name in core.available_devices
    ]


def _onnxruntime_devices() -> list[str]:
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def _programs() -> str:
    found = []
    for program, option in _PROGRAMS.items():
        if shutil.which(program):
            said = _said(program, option)
            number = re.search(r"\d+[\w.+~-]*", said)
            found.append(f"{program} {number[0] if number else '(says no version)'}")
        else:
            found.append(f"no {program}")
    return ", ".join(found)


def _bundles() -> str:
    from ast_edge.model.bundle import shipped_bundles
    from ast_edge.model.installed import installed_bundles

    return ", ".join(sorted({**installed_bundles(), **shipped_bundles()}))


def _said(*command: str) -> str:
    """Return the first line that a program prints; empty if it is not there or does not answer."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.partition("\n")[0].strip()
