"""Measure what the daemon costs: CPU time per second of sound, memory, time to the first window.

Plays the demo recording in real time through `ast-edge run` as a process of its own, once for each
engine that is installed, with one thread.

    python benchmarks/footprint.py
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile

DEMO = Path(__file__).parents[1] / "configs" / "demo" / "home.ogg"


def main() -> None:
    """Print one line per engine."""
    seconds = soundfile.info(DEMO).duration
    for engine in ("openvino", "onnxruntime"):
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "config.yaml"
            tree = {
                "sources": {"demo": {"file": str(DEMO)}},
                "engine": {"name": engine, "threads": 1},
                "jsonl": "events.jsonl",
            }
            config.write_text(json.dumps(tree))  # JSON is YAML
            started = time.monotonic()
            process = subprocess.Popen(
                [sys.executable, "-m", "ast_edge", "run", "--config", config],
                stderr=subprocess.PIPE,
                text=True,
            )
            assert process.stderr
            for line in process.stderr:
                if "listening" in line:
                    ready = time.monotonic() - started
            _, status, usage = os.wait4(process.pid, 0)
        if status:
            print(f"{engine}: failed with status {status}")
            continue
        cpu = usage.ru_utime + usage.ru_stime
        print(
            f"{engine}: {100 * cpu / seconds:.1f} % of one core, start-up included, "
            f"{usage.ru_maxrss / 1024:.0f} MB resident at most, ready after {ready:.1f} s"
        )


if __name__ == "__main__":
    main()
