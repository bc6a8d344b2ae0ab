"""Which TensorRT runs on a Jetson: that depends on its JetPack.

Sources: NVIDIA's notes on TensorRT 11.0 to 11.4.1 and its guide on migrating Jetson: JetPack 6
stays with TensorRT 10; from JetPack 7.2.2 on it is 11.4.1 or later, in the build for servers.
"""

import re
from pathlib import Path

RELEASE = Path("/etc/nv_tegra_release")
"""Where a Jetson says which Linux it runs: R36 is that of JetPack 6."""
_JETPACK_7 = 38
"""The first release of Linux for Jetson that belongs to JetPack 7."""
_FIRST = (11, 4, 1)


def refusal(version: str, release: Path | None = None) -> str:
    """Say why a TensorRT does not run on this Jetson; empty if nothing speaks against it."""
    linux = _linux(release or RELEASE)
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    if linux is None or numbers < (11,):
        return ""
    if linux < _JETPACK_7:
        return (
            f"TensorRT {version} does not run on this JetPack (Linux for Jetson R{linux}): keep "
            "the TensorRT 10 that came with it, and remove the other"
        )
    if numbers < _FIRST:
        return (
            f"TensorRT {version} does not run on a Jetson: expected 11.4.1 or later with JetPack "
            "7.2.2 or later"
        )
    return ""


def _linux(release: Path) -> int | None:
    """Return the number of the Linux for Jetson; None if this is no Jetson, or does not say."""
    try:
        text = release.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"\bR(\d+)\b", text)
    return int(found[1]) if found else None
