"""What is handed out: sdist and wheel, and a fresh environment that has nothing but these."""

import hashlib
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def build(kind, source, out):
    """Build one file and return its path."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", out]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (file,) = out.iterdir()
    return file


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("wheel")


@pytest.fixture(scope="module")
def sdist(work):
    """The sdist, unpacked."""
    with tarfile.open(build("sdist", ROOT, work / "sdist")) as archive:
        archive.extractall(work / "source", filter="data")
    (folder,) = (work / "source").iterdir()
    return folder


@pytest.fixture(scope="module")
def wheel(sdist, work):
    """The wheel that the sdist makes."""
    return build("wheel", sdist, work / "from-sdist")


@pytest.fixture(scope="module")
def installed(wheel, work):
    """A fresh environment with the wheel; what it needs is that of this one: nothing is fetched."""
    venv.create(work / "venv", with_pip=True)
    (site,) = (work / "venv").glob("lib/python*/site-packages")
    (site / "rest.pth").write_text(sysconfig.get_path("purelib"))
    pip = [work / "venv/bin/pip", "install", "--quiet", "--no-index", "--no-deps", wheel]
    subprocess.run(pip, check=True, env=clean())
    return work / "venv/bin"


def clean():
    """The environment without what leads to this checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def names(path):
    return set(zipfile.ZipFile(path).namelist())


def test_the_wheel_of_the_sdist_is_that_of_the_checkout_to_the_last_bit(wheel, work):
    other = build("wheel", ROOT, work / "from-checkout")
    first, second = (hashlib.sha256(path.read_bytes()).digest() for path in (wheel, other))
    assert names(wheel) ^ names(other) == set()
    assert first == second


def test_recipes_and_studies_are_in_the_wheel_without_weights(wheel):
    recipes = {
        f"ast_training/recipes/{path.relative_to(ROOT / 'configs/train')}"
        for pattern in ("*.yaml", "*.csv")
        for path in (ROOT / "configs/train").rglob(pattern)
    }
    assert recipes <= names(wheel)
    assert not [name for name in names(wheel) if name.endswith(".safetensors")]


def test_the_demo_runs_from_what_was_built(installed, sdist, work):
    tree = yaml.safe_load((sdist / "configs/demo.yaml").read_text())
    tree["sources"]["home"] |= {"pace": "fast", "file": str(sdist / "configs/demo/home.ogg")}
    (work / "demo.yaml").write_text(yaml.safe_dump(tree))
    command = [installed / "ast-edge", "run", "--config", work / "demo.yaml"]
    done = subprocess.run(
        command, cwd=work, env=clean(), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Cat" in done.stdout


def test_the_installed_program_is_the_wheels(installed, work):
    ask = "import ast_edge.cli, ast_training; print(ast_edge.cli.__file__, ast_training.__file__)"
    said = subprocess.check_output([installed / "python", "-c", ask], text=True, env=clean())
    assert all(path.startswith(str(work)) for path in said.split())


def test_an_installed_ast_train_has_the_studies(installed, work):
    said = subprocess.check_output([installed / "ast-train", "recipes"], text=True, env=clean())
    assert "studies/overlap.yaml" in said
