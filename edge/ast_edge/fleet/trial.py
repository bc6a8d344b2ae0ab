"""Whether a bundle works on this machine, tried in a process of its own.

What a graph does to an engine's library may end the process, or never end: it must not be the one
that listens.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ast_edge.base.errors import AstError, BundleError, EngineError
from ast_edge.engines.config import EngineConfig

LONGEST_SECONDS = 3600.0
"""TensorRT builds an engine for many minutes."""
_LOOK_SECONDS = 0.2
_LONGEST_MESSAGE = 2000


def try_bundle(
    folder: Path,
    engine: EngineConfig,
    alive: Callable[[], None] = lambda: None,
    longest: float = LONGEST_SECONDS,
) -> None:
    """Load a bundle in a child process and let it score silence.

    `alive` is called again and again meanwhile, and may raise, to give up.

    Raises:
        BundleError: it is damaged.
        EngineError: no engine runs it, its scores are no probabilities, or it takes for ever.
    """
    command = [sys.executable, "-m", "ast_edge.fleet.trial", str(folder)]
    with tempfile.TemporaryFile() as said:
        # It holds the end of a pipe, by which it knows that this process is gone.
        child = subprocess.Popen(
            [*command, engine.model_dump_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd="/",
        )
        try:
            _wait(child, alive, longest)
        finally:
            child.kill()
            child.communicate()
        said.seek(0)
        _judge(child.returncode, said.read().decode("utf-8", "replace").strip())


def _wait(child: "subprocess.Popen[bytes]", alive: Callable[[], None], longest: float) -> None:
    until = time.monotonic() + longest
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_LOOK_SECONDS)
            return
        alive()
        if time.monotonic() > until:
            raise EngineError(f"it was not loaded within {longest:g} s")


def _judge(status: int, said: str) -> None:
    if status == 0:
        return
    last = said.rpartition("\n")[2][:_LONGEST_MESSAGE]
    if status == BundleError.exit_code:
        raise BundleError(last)
    if status < 0:
        raise EngineError(f"trying it has ended the process that did (signal {-status})")
    raise EngineError(last or f"trying it has ended with status {status}")


def main(folder: Path, engine: str) -> int:
    """Try a bundle; the exit code is that of the error, whose message is the last line."""
    from ast_edge.engines.choice import open_engine
    from ast_edge.model.bundle import load_bundle

    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    with contextlib.suppress(OSError):  # whoever lacks memory: this is to go first
        Path("/proc/self/oom_score_adj").write_text("1000")
    os.nice(10)
    try:
        open_engine(load_bundle(folder), EngineConfig.model_validate_json(engine)).close()
    except AstError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    return 0


def _end_with_the_parent() -> None:
    while os.read(0, 1):  # not by sys.stdin, whose lock would keep the interpreter from its end
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
