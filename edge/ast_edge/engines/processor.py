"""What the processor can do that decides how engines have to compute on it."""

import platform
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
"""Where Linux tells of the processor."""
X86 = frozenset({"x86_64", "amd64", "i386", "i686"})
VNNI = frozenset({"avx512_vnni", "avx_vnni"})
"""Instructions that add up products of int8 in 32 bits, by Linux's names."""


@cache
def int8_saturates() -> bool:
    """Tell whether the fast sums of int8 products are wrong here, without the engines' slower ones.

    Without VNNI, x86 adds each two products in 16 bits, where 255 * 127 twice has no room, and
    gives the largest number that has. Other processors have instructions of their own.
    """
    if platform.machine().lower() not in X86:
        return False
    return VNNI.isdisjoint(_flags(CPUINFO))


def _flags(cpuinfo: Path) -> frozenset[str]:
    """Return Linux's names for the instructions of the first core; none where it does not say."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            return frozenset(value.split())
    return frozenset()
