"""Podman, which runs an image that was built before, as the tests' environment tells it to."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

IMAGE, APP = (os.environ.get(name, "") for name in ("AST_EDGE_IMAGE", "AST_EDGE_APP_IMAGE"))


def why_not(image: str) -> str:
    """Return why an image cannot be tried, or nothing."""
    if shutil.which("podman") is None:
        return "podman is not installed (apt install podman runc)"
    if not image:
        return "no image: sudo packaging/container/test builds one and runs this"
    return ""


def inspect(image: str) -> dict[str, Any]:
    """Return what is known of an image."""
    return json.loads(_podman("image", "inspect", image).stdout)[0]


def run(*arguments: str, check: bool = True) -> str:
    """Run a container without a network to its end; return what it writes to standard output."""
    done = _podman("run", "--rm", "--read-only", "--network=none", *arguments, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Container:
    """One that runs, on the machine's own network."""

    def __init__(self, *arguments: str) -> None:
        """Start it; the arguments are those of `podman run`."""
        self.name = f"ast-edge-{uuid.uuid4().hex[:8]}"
        _podman("run", "--detach", "--name", self.name, "--network=host", *arguments)

    def log(self) -> str:
        """Return what it has said so far."""
        done = _podman("logs", self.name)
        return done.stdout + done.stderr

    def execute(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command within."""
        return _podman("exec", self.name, *command, check=False)

    def remove(self) -> int:
        """Stop it, remove it and return its exit status."""
        _podman("stop", "--time", "20", self.name)
        status = _podman("inspect", "--format", "{{.State.ExitCode}}", self.name).stdout
        _podman("rm", "--force", "--volumes", self.name)
        return int(status)


@contextmanager
def running(*arguments: str) -> Iterator[Container]:
    """Run a container, read-only, until the end of the block."""
    container = Container("--read-only", *arguments)
    try:
        yield container
    finally:
        status = container.remove()
    assert status == 0


def _podman(*arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, timeout=120)
    assert not check or done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr}"
    return done
