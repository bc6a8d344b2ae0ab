"""What the documents say about the repository is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FAULTS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "reliability.md").read_text())


def test_the_table_of_faults_has_at_least_25():
    assert len(set(FAULTS)) >= 25


@pytest.mark.parametrize(("file", "test"), sorted(set(FAULTS)), ids=lambda value: value)
def test_a_test_that_the_table_of_faults_names_is_there(file, test):
    assert f"def {test}(" in (ROOT / file).read_text()


def test_every_direct_dependency_is_listed():
    document = (ROOT / "docs" / "security.md").read_text()
    project = (ROOT / "pyproject.toml").read_text()
    runtime = re.search(r"^dependencies = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    assert runtime
    names = re.findall(r'^    "([\w.-]+)', runtime[1], re.MULTILINE)
    assert names
    missing = [name for name in names if f"| {name} |" not in document]
    assert not missing, "run scripts/dependencies.py"
