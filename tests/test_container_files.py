"""What packaging/container holds beside the image runs it as docs/container.md says."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "packaging" / "container"
QUADLET = Path("/usr/libexec/podman/quadlet")
# In the order of docs/container.md, whose first `docker run` is that of a microphone by ALSA.
PROFILES = ("alsa", "pulse", "stream")
# What is safe and is the same for all; the others say what is heard.
SAFE = {("--read-only", ""), ("--cap-drop", "all"), ("--security-opt", "no-new-privileges")}
# Says a version, finds nothing that is there already, and notes with what it was called.
RECORDER = """#!/bin/sh
echo "$*" >>"$0.log"
case "$1" in --version) echo podman version 5.4.2 ;; ps) echo "[]" ;; esac
"""


def options(line):
    """Return the options of a `run`, `create` or `podman run` that are about sound and safety."""
    words = iter(shlex.split(line.replace("security-opt=", "security-opt ")))
    found = set()
    for word in words:
        name, _, value = word.partition("=")
        if name == "--read-only":
            found.add((name, ""))
        elif name in ("--cap-drop", "--security-opt", "--group-add", "--device-cgroup-rule"):
            value = (value or next(words)).removesuffix(":true")
            found.add((name, value.lower()))
        elif name in ("-v", "--volume"):
            target = (value or next(words)).partition(":")[2]
            if target.startswith(("/dev/snd", "/run/pulse")):
                found.add(("--volume", target))
        elif name in ("-e", "--env"):
            found.add(("--env", value or next(words)))
    return found


def documented():
    """Return the options of each `docker run` in docs/container.md."""
    text = (ROOT / "docs/container.md").read_text().replace("\\\n", " ")
    return [options(line) for line in re.findall(r"(?m)^\$ docker (run .*)", text)]


@pytest.fixture
def composed(tmp_path):
    """Return what tells with which options podman-compose makes a profile's container."""
    pytest.importorskip("podman_compose", reason="podman-compose is not installed: run `make test`")
    recorder = tmp_path / "podman"
    recorder.write_text(RECORDER)
    recorder.chmod(0o755)

    def up(profile):
        command = [Path(sys.executable).with_name("podman-compose"), "--podman-path", recorder]
        command += ["--file", FOLDER / "compose.yaml", "--profile", profile, "up", "--detach"]
        subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=tmp_path)
        (made,) = re.findall(r"(?m)^create .*", recorder.with_name("podman.log").read_text())
        return options(re.sub(r"(?<=--device-cgroup-rule )\S+ \S+ \S+", r"'\g<0>'", made))

    return up


def test_the_documented_runs_are_those_of_the_profiles():
    assert len(documented()) == len(PROFILES)
    assert all(found >= SAFE for found in documented())


@pytest.mark.parametrize("profile", PROFILES)
def test_compose_runs_a_profile_as_documented(composed, profile):
    assert composed(profile) == documented()[PROFILES.index(profile)]


@pytest.mark.parametrize("command", [["docker", "compose"], ["docker-compose"]], ids=" ".join)
def test_docker_takes_the_compose_file(command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    if subprocess.run([*command, "version"], capture_output=True, timeout=60).returncode:
        pytest.skip(f"{' '.join(command)} does not work here")
    for profile in PROFILES:
        whole = [*command, "--file", FOLDER / "compose.yaml", "--profile", profile, "config", "-q"]
        done = subprocess.run(whole, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("unit", "profile"), [("ast-edge", "alsa"), ("ast-edge-user", "pulse")])
def test_a_quadlet_runs_as_documented(unit, profile):
    if not QUADLET.exists():
        pytest.skip("this podman knows no quadlets (it comes with 4.4)")
    variables = os.environ | {"QUADLET_UNIT_DIRS": str(FOLDER / "quadlet")}
    done = subprocess.run(
        [QUADLET, "-dryrun"], env=variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.partition(f"---{unit}.service---")[2]
    (line,) = re.findall(r"ExecStart=(.*)", said.partition("\n---")[0])
    assert options(line) == documented()[PROFILES.index(profile)]
