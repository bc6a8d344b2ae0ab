"""The TensorRT that is installed, and what it has to say."""

import importlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt.jetson import refusal

log = logging.getLogger(__name__)

Handle: TypeAlias = Any
"""An object of TensorRT's module, which has no types."""

NAMES = ("tensorrt", "tensorrt_rtx")
"""In the order in which they are tried."""

NOISE = (
    "CUDA lazy loading is not enabled",
    "getHardwareCompatibilityLevel() is unsupported",  # asked by TensorRT-RTX of itself
    "Thread context has not been set",
    "Unable to determine GPU memory usage",
)
"""Warnings that nobody can do anything about."""


@dataclass(frozen=True)
class Library:
    """TensorRT, or TensorRT for RTX; their engines cannot be exchanged."""

    module: Handle
    name: str
    """Of the module: tensorrt or tensorrt_rtx."""
    version: str

    @property
    def title(self) -> str:
        """Name and version for people."""
        return f"{self.name} {self.version}"

    @property
    def capabilities(self) -> tuple[int, ...]:
        """Compute capabilities it can build for (86 is 8.6), without a GPU.

        None if it builds for the GPU that it runs on: so does the full TensorRT.
        """
        known = getattr(self.module, "ComputeCapability", None)
        names = known.__members__ if known else ()
        return tuple(int(match[1]) for name in names if (match := re.fullmatch(r"SM(\d+)", name)))

    def native(self, capability: tuple[int, int]) -> tuple[int, ...]:
        """Return what to build for, for a GPU of this compute capability that is here.

        None leaves it to the library: TensorRT-RTX by itself builds for Ampere and later.
        """
        number = 10 * capability[0] + capability[1]
        return (number,) if number in self.capabilities else ()

    @property
    def messages(self) -> "Messages":
        """Where its messages go; `messages.logger` is what its classes take."""
        return _messages(self.module.ILogger)


def find_library() -> Library:
    """Import the TensorRT that is installed; the full one if both are.

    Raises:
        EngineError: if there is none that works here, with the reason.
    """
    broken = []
    for name in NAMES:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as exc:
            if exc.name != name:  # a part of it is missing
                broken.append(f"{name} cannot be imported: {exc}")
        except (ImportError, OSError) as exc:  # a shared library is missing
            broken.append(f"{name} cannot be imported: {exc}")
        else:
            if reason := refusal(str(module.__version__)):
                raise EngineError(reason)
            return Library(module, name, str(module.__version__))
    raise EngineError(
        "; ".join(broken)
        or "TensorRT is not installed: pip install tensorrt or tensorrt_rtx (on a Jetson it comes "
        "with JetPack)"
    )


class Messages:
    """Passes TensorRT's messages to `logging`; errors can be collected instead."""

    def __init__(self, base: Handle) -> None:
        """Make the logger of a library from its class ILogger."""
        self._collected: list[str] | None = None
        self.logger = _make_logger(base, self)

    @contextmanager
    def collect(self) -> Iterator[list[str]]:
        """Keep the errors of this block for the message of an exception."""
        before, self._collected = self._collected, []
        try:
            yield self._collected
        finally:
            self._collected = before

    def add(self, severity: str, text: str) -> None:
        """Take a message; severities are INTERNAL_ERROR, ERROR, WARNING, INFO and VERBOSE."""
        if severity == "VERBOSE":  # thousands of lines
            return
        line = " ".join(text.split())
        if severity == "INFO" or any(noise in line for noise in NOISE):
            log.debug("%s", line)
        elif severity == "WARNING":
            log.warning("TensorRT: %s", line)
        elif self._collected is None:
            log.error("TensorRT: %s", line)
        else:
            self._collected.append(line)


@cache
def _messages(base: Handle) -> Messages:
    """Return the only one of the process: a library keeps to the first logger that it meets."""
    return Messages(base)


def _make_logger(base: Handle, messages: Messages) -> Handle:
    class Logger(base):  # type: ignore[misc]
        def __init__(self) -> None:
            base.__init__(self)  # super().__init__() is not enough for pybind11

        def log(self, severity: Handle, text: str) -> None:
            messages.add(severity.name, text)

    return Logger()
