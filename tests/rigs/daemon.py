"""`ast-edge run` as a process of its own, at a broker of the test's own.

    python -m rigs.daemon ATTEMPTS run --config CONFIG

is `ast-edge run` as well; it comes back to the broker sooner, and notes its process, the port and
the moment (monotonic seconds) of every attempt to connect in a file.
"""

import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from rigs.broker.mosquitto import Mosquitto
from rigs.model import RATE, write_bundle

TIMEOUT = 20.0
PROOF_VARIABLE = "RIG_PROOF_SECONDS"
"""How long a bundle that is new has to prove itself."""


class Daemon:
    """A daemon with the tiny model (`rigs.model`), whose node is "attic" and source "kitchen".

    It may be started again when it has been killed or has ended; the log goes on.
    """

    def __init__(
        self, folder: Path, broker: Mosquitto, sound: np.ndarray | None, **mqtt: Any
    ) -> None:
        """Let it hear a recording, or what `feed` is given."""
        self._port = broker.port
        source: dict[str, Any] = {"stdin": "f32le", "sample_rate": RATE, "pace": "fast"}
        if sound is not None:
            soundfile.write(folder / "sound.wav", sound, RATE)
            source = {"file": str(folder / "sound.wav")}
        self.log, self.config = folder / "log", folder / "mic.yaml"
        self._events, self._attempts = folder / "events.jsonl", folder / "attempts"
        tree = {
            "node": "attic",
            "bundle": str(write_bundle(folder / "bands")),
            "sources": {"kitchen": source},
            "mqtt": {"host": "127.0.0.1", "port": broker.port, **mqtt},
            "jsonl": str(self._events),
        }
        self.config.write_text(yaml.safe_dump(tree))

    def __enter__(self) -> "Daemon":
        self.start()
        return self

    def __exit__(self, fault: type[BaseException] | None, *_: object) -> None:
        if fault:
            self.kill()
        else:
            self.process.terminate()
            self.wait()

    def change(self, **keys: Any) -> None:
        """Change the configuration for the next start."""
        tree = yaml.safe_load(self.config.read_text())
        self.config.write_text(yaml.safe_dump(tree | keys))

    def start(self) -> None:
        """Start it and return at once."""
        command = [sys.executable, "-m", "rigs.daemon", self._attempts, "run"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--config", self.config],
                stdin=subprocess.PIPE,
                stderr=log,
                cwd=Path(__file__).parents[1],
            )

    def feed(self, sound: np.ndarray) -> None:
        """Let it hear more, and wait until it has nearly done so."""
        assert self.process.stdin
        self.process.stdin.write(sound.astype("<f4").tobytes())
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.communicate()

    def wait(self) -> None:
        """Wait until it has ended by itself, the sound being over; fail if not cleanly."""
        self.process.communicate(timeout=TIMEOUT)  # closes its standard input
        assert self.process.returncode == 0, self.log.read_text()

    def written(self) -> list[dict[str, Any]]:
        """Return all events so far, which it writes when they wait for the broker already."""
        return [json.loads(line) for line in self._events.read_text().splitlines()]

    def pauses(self) -> list[float]:
        """Return the seconds between two attempts of the same process to connect."""
        lines = [line.split() for line in self._attempts.read_text().splitlines()]
        # paho also wakes its threads through a socket, of another port.
        calls = [(pid, float(time)) for pid, port, time in lines if int(port) == self._port]
        return [b[1] - a[1] for a, b in pairwise(calls) if a[0] == b[0]]


def main(attempts: Path, arguments: list[str]) -> int:
    """Run the command line."""
    from ast_edge.app.updates import proof
    from ast_edge.cli.main import main
    from ast_edge.mqtt import connection

    def note(event: str, values: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(values[1], tuple):  # not a path
            with attempts.open("a") as file:
                file.write(f"{os.getpid()} {values[1][1]} {time.monotonic()}\n")

    connection.RETRY_MAX = 2.0  # a test cannot wait half a minute
    proof.PROOF_SECONDS = float(os.environ.get(PROOF_VARIABLE, proof.PROOF_SECONDS))
    sys.addaudithook(note)
    return main(arguments)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
