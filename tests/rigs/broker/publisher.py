"""A process that publishes events as the daemon does, and can be killed.

    python -m rigs.broker.publisher PORT OUTBOX PROTOCOL

Each line of standard input is the phase and the id of an event; what has been published is written
to standard output again. It ends cleanly when standard input does.
"""

import subprocess
import sys
from pathlib import Path

from rigs.broker.sink import started

from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.mqtt import connection
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.outbox import Outbox

DOG = Label(0, "Dog", "/m/0bt9lr")


class Publisher:
    """The process, as a test uses it."""

    def __init__(self, port: int, outbox: Path, protocol: str) -> None:
        arguments = [str(port), str(outbox), protocol]
        self._command = [sys.executable, "-m", "rigs.broker.publisher", *arguments]
        self.start()

    def start(self) -> None:
        """Start it; one that ran before must have ended."""
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            cwd=Path(__file__).parents[2],
        )

    def publish(self, phase: str, id: str) -> None:
        """Publish one event, and wait until the process has done so."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{phase} {id}\n")
        assert self._process.stdout.readline() == f"{phase} {id}\n"

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.communicate()

    def close(self) -> None:
        """End it cleanly."""
        self._process.communicate(timeout=20.0)


def main(port: int, path: Path, protocol: str) -> None:
    """Publish what standard input says."""
    connection.RETRY_MAX = 2.0  # a test cannot wait half a minute
    outbox = Outbox(path, max_age=3600.0, max_events=1000)
    config = MqttConfig(host="127.0.0.1", port=port, protocol=protocol)
    sink = started(config, [("mic", DOG)], outbox)
    for line in sys.stdin:
        phase, id = line.split()
        sink.publish(Event(id, phase, "mic", DOG, 0.0, 1.0, 0.8, 0.9, "home"))
        print(phase, id, flush=True)
    sink.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
