"""The shipped units, as systemd judges them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[1] / "systemd"

pytestmark = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is missing"
)


def exposure(*, gpu, folder):
    """Return how exposed the service is, from 0 (safe) to 10."""
    unit = folder / "ast-edge.service"
    shutil.copy(UNITS / "ast-edge.service", unit)
    if gpu:
        drop_ins = folder / "ast-edge.service.d"
        drop_ins.mkdir()
        shutil.copy(UNITS / "gpu.conf", drop_ins)
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"exposure level for \S+: ([0-9.]+)", said)
    assert found, said
    return float(found[1])


@pytest.mark.parametrize(("gpu", "most"), [(False, 1.3), (True, 1.7)])
def test_the_service_is_hardly_exposed(tmp_path, gpu, most):
    assert exposure(gpu=gpu, folder=tmp_path) <= most


@pytest.mark.parametrize("name", ["ast-edge.service", "user/ast-edge.service"])
def test_systemd_has_nothing_to_say_about_a_unit(tmp_path, name):
    program = tmp_path / "ast-edge"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "ast-edge.service"
    text = (UNITS / name).read_text().replace("/opt/ast-edge/bin/ast-edge", str(program))
    unit.write_text(text)
    kind = ["--user"] if "user" in name else []
    command = ["systemd-analyze", *kind, "verify", "--man=no", unit]
    home = os.environ | {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=home)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
