"""`constraints.txt` pins what `pyproject.toml` asks for, and nothing of the place it was made."""

import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LINES = [
    line
    for line in (Path(__file__).parents[1] / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
]
DIRECT = sorted({Requirement(r).name for r in requires("ast-edge") or []} - {"ast-edge"})


@pytest.mark.parametrize("name", DIRECT)
def test_a_direct_dependency_is_pinned(name):
    pins = [Requirement(line.partition("#")[0]) for line in LINES]
    found = [p for p in pins if canonicalize_name(p.name) == canonicalize_name(name)]
    assert found, f"{name} is not in constraints.txt: run `make constraints`"


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("==")[0])
def test_a_pin_is_an_exact_version_without_an_address(line):
    assert re.match(r"[a-z0-9-]+==[0-9][\w.]*( ;.*)?(  *#.*)?$", line)
    assert "/" not in line
