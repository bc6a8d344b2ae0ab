"""The machine that a figure was measured on."""

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
MODEL = Path("/proc/device-tree/model")
"""Where a Raspberry Pi and a Jetson say what they are."""
FEATURES = {
    "amx_bf16": "AMX bf16",
    "amx_int8": "AMX int8",
    "avx512_bf16": "AVX-512 bf16",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
}
"""What decides how fast matrix products are, by the flag of Linux."""


def describe_machine() -> str:
    """Name processor, cores this process may use, its instructions for matrices, and the load."""
    flags = cpu_flags()
    features = [name for flag, name in FEATURES.items() if flag in flags]
    if flags and not any(flag.startswith("amx") for flag in flags):
        features.append("no AMX")
    parts = [cpu_name() + _generation(), f"{len(os.sched_getaffinity(0))} cores", *features]
    return f"{', '.join(parts)}; load average {os.getloadavg()[0]:.1f}"


def cpu_name() -> str:
    """Return the name of the processor, or of the board it sits on."""
    if MODEL.is_file():
        return MODEL.read_text(encoding="utf-8").rstrip("\0")
    return _cpuinfo("model name") or platform.machine()


def _generation() -> str:
    """Tell generations apart, which clouds give one name and which compute differently."""
    family, model = _cpuinfo("cpu family"), _cpuinfo("model")
    return f" (family {family}, model {model})" if family and model else ""


def cpu_flags() -> set[str]:
    """Return Linux's names for the instructions of the processor."""
    return set(_cpuinfo("flags").split())


def _cpuinfo(key: str) -> str:
    """Return what Linux says of the first core; nothing where it does not."""
    if not CPUINFO.is_file():
        return ""
    for line in CPUINFO.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""
