"""What the documents say about the repository is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FAULTS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "reliability.md").read_text())
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
)


def test_the_table_of_faults_has_at_least_25():
    assert len(set(FAULTS)) >= 25


@pytest.mark.parametrize(("file", "test"), sorted(set(FAULTS)), ids=lambda value: value)
def test_a_test_that_the_table_of_faults_names_is_there(file, test):
    assert f"def {test}(" in (ROOT / file).read_text()


def table_of_dependencies(heading):
    """Return what the first column of a table in docs/security.md names."""
    document = (ROOT / "docs" / "security.md").read_text()
    rows = document.split(heading)[1].split("\n\n")[1].splitlines()[2:]
    return {name for row in rows for name in row.split("|")[1].strip().split(", ")}


def required(*lists):
    """Return the packages of such lists in pyproject.toml."""
    project = (ROOT / "pyproject.toml").read_text()
    found = set()
    for name in lists:
        entries = re.search(rf"^{name} = \[(.*?)\]$", project, re.MULTILINE | re.DOTALL)
        assert entries, name
        found |= set(re.findall(r'"([\w-]+)>=', entries[1]))
    return found


def test_what_each_dependency_of_the_edge_touches_is_said():
    assert table_of_dependencies("What the edge runtime asks for") == required("dependencies")
    extras = required(
        "onnxruntime", "tensorrt", "tensorrt-rtx", "demo", "web", "mdns", "archive", "ray"
    )
    assert table_of_dependencies("Installed by extras only:") == extras


def test_all_that_the_edge_installs_is_listed_with_its_licence():
    installed = table_of_dependencies("All that comes with them")
    assert required("dependencies") <= installed, "run scripts/dependencies.py"


def anchors(page):
    """Return the names of a page's headings as the web pages of repositories make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page):
    # Those beside the benchmarks become pages of the documentation.
    folder = ROOT / "docs" if page.parent.name == "benchmarks" else page.parent
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        linked = folder / path if path else page
        assert linked.exists(), target
        assert not anchor or linked.suffix != ".md" or anchor in anchors(linked), target


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_a_page_is_not_too_long_to_be_read(page):
    assert len(page.read_text().splitlines()) <= 400
