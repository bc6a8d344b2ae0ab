"""Print what the edge runtime installs, as a table in Markdown for docs/security.md.

    .venv/bin/python scripts/dependencies.py          what ast-edge needs, without extras
    .venv/bin/python scripts/dependencies.py --all    all that is installed beside this Python

Licences and what needs what come from the installed packages, versions from constraints.txt.
"""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def main() -> None:
    """Print the table."""
    if sys.argv[1:] == ["--all"]:
        print("| package | version | licence |\n|---|---|---|")
        for found in sorted(metadata.distributions(), key=lambda found: found.name.lower()):
            print(f"| {found.name} | {found.version} | {licence(found.name)} |")
        return
    print("| package | version | licence | needed by |\n|---|---|---|---|")
    for name, users in sorted(closure("ast-edge").items()):
        print(f"| {name} | {pinned(name)} | {licence(name)} | {', '.join(sorted(users))} |")


def closure(root: str) -> dict[str, set[str]]:
    """Return everything that a package needs here, without extras, and what needs it."""
    users: dict[str, set[str]] = {}
    waiting = [root]
    while waiting:
        user = waiting.pop()
        for name in _needs(user):
            if name not in users:
                waiting.append(name)
            users.setdefault(name, set()).add(user)
    return users


def _needs(user: str) -> Iterator[str]:
    for line in metadata.requires(user) or ():
        name = re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", line)[0]).lower()
        if "extra ==" not in line and _is_installed(name):  # not for another platform or Python
            yield name


def _is_installed(name: str) -> bool:
    return any(metadata.distributions(name=name))


def pinned(name: str) -> str:
    """Return the version, or versions by Python, that constraints.txt has."""
    found = re.findall(rf"^{re.escape(name)}==(\S+)", CONSTRAINTS.read_text(), re.MULTILINE)
    return ", ".join(found) or metadata.version(name)


def licence(name: str) -> str:
    """Return what the package says about its licence, in a few words."""
    about = metadata.metadata(name)
    classifiers = [c.split(" :: ")[-1] for c in about.get_all("Classifier") or () if "License" in c]
    texts = [about.get("License-Expression"), *classifiers, about.get("License")]
    return next((text.splitlines()[0] for text in texts if text), "not stated")


if __name__ == "__main__":
    main()
