"""What worker processes do in tests; they import it by name."""

import os
import signal

import numpy  # noqa: F401 (what is counted below comes with it)
from threadpoolctl import threadpool_info

from ast_training.base.errors import TrainingError


def square(number: int) -> tuple[int, int]:
    """Return the square and the process that computed it."""
    return number * number, os.getpid()


def linear_algebra_threads(number: int) -> int:
    """Count the threads that NumPy's linear algebra would use."""
    return max(library["num_threads"] for library in threadpool_info())


def interrupt_itself(number: int) -> int:
    """Receive what Ctrl-C sends to every process of the terminal."""
    os.kill(os.getpid(), signal.SIGINT)
    return number


def kill_itself(number: int) -> None:
    """End the process as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number: int) -> None:
    """Raise an error of ours."""
    raise TrainingError(f"{number} failed")
