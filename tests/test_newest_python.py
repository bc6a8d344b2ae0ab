"""What the newest Python that we promise says of the sources, where one is installed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEWEST = (3, 13)
FOLDERS = ("edge", "training", "export", "benchmarks", "tests", "scripts")
COMPILE = """
import sys
from pathlib import Path
for folder in sys.argv[1:]:
    for path in Path(folder).rglob("*.py"):
        compile(path.read_bytes(), str(path), "exec")
print(sys.version_info[:2] >= (3, 13))
"""


def find_newest():
    """Return a Python of that version or a newer one: this one, or one on the path that runs."""
    if sys.version_info >= NEWEST:
        return sys.executable
    name = "python" + ".".join(map(str, NEWEST))
    found = shutil.which(name)
    # pyenv puts one there that only says how to choose it.
    if (
        found
        and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0
    ):
        return found
    pytest.skip(f"{name} is not installed")


def test_every_source_compiles_there_without_a_warning():
    command = [find_newest(), "-I", "-W", "error", "-c", COMPILE]
    done = subprocess.run(
        [*command, *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.stdout) == ("", "True\n")
