"""What a second of sound costs the whole daemon, by stage."""

import threading
import time
from collections import defaultdict
from pathlib import Path

from threadpoolctl import threadpool_limits

from ast_edge.app.config import Config
from ast_edge.app.daemon import Daemon
from ast_edge.app.plan import Plan
from ast_edge.app.service import Service
from ast_edge.detection.event import Event
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.engine import Engine
from ast_edge.frontend.conditioner import Conditioner
from ast_edge.frontend.fbank import RollingFbank
from ast_edge.frontend.listener import Listener
from ast_edge.frontend.resampler import Resampler
from ast_edge.model.bundle import Bundle
from ast_edge.monitoring.source_monitor import SourceMonitor
from ast_edge.mqtt.config import MqttConfig
from parts.stopwatch import Stopwatch, thread_seconds

SOURCE = "recording"
WARM_UP = 4.0
"""Seconds that do not count: the daemon introduces itself to the broker."""
READ, ENGINE, PUBLISH, LOOP = "read", "engine", "publish and report", "the daemon's loop"
STAGES: dict[tuple[type, str], str] = {
    (Resampler, "feed"): "resample and condition",
    (Conditioner, "feed"): "resample and condition",
    (RollingFbank, "feed"): "fbank",
    (Listener, "feed"): "window",
    (Pipeline, "score"): "aggregate and track",
    (Pipeline, "skip"): "aggregate and track",
    (Daemon, "publish"): PUBLISH,
    **{(SourceMonitor, name): PUBLISH for name in ("heard", "scored")},
}
ORDER = (READ, *dict.fromkeys(STAGES.values()), ENGINE, LOOP)
"""All stages."""

Costs = dict[str, float]
"""CPU seconds per second of sound by stage; `process` is all of them, measured by itself.

`dropped` is the number of windows per second of sound that the engine was too slow for.
"""


def cost_of_daemon(
    bundle: Bundle, engine: Engine, path: Path, mqtt: MqttConfig, *, hop: float, seconds: float
) -> Costs:
    """Run the daemon on a recording for so many seconds, and return what that has cost.

    The recording must be longer, by more than `WARM_UP`.
    """
    sources = {SOURCE: {"file": str(path)}}
    config = Config.model_validate({"node": "bench", "hop": hop, "sources": sources})
    config = config.model_copy(update={"mqtt": mqtt})
    hearings = dict.fromkeys(config.sources, Hearing(bundle, bundle.settings, hop))
    service = Service(Plan(config, hearings), {bundle.folder: engine})
    node = service.open_node(mqtt)
    if not node.publisher.wait_connected(10):
        raise SystemExit(f"no broker at {node.publisher.address}")
    watch = Stopwatch(STAGES | {(type(engine), "run"): ENGINE}, shared=[ENGINE])
    marks: list[defaultdict[str, float]] = []

    def mark() -> list[Event]:
        """Read all clocks at once; in the daemon's thread, so that no stage is half done."""
        threads, found = thread_seconds(), watch.seconds.copy()
        found["process"] = time.process_time()
        found[LOOP] = threads.pop("MainThread") - watch.in_thread
        found[READ] = threads.pop(f"source {SOURCE}")
        found[PUBLISH] += sum(threads.values())
        found["dropped"] = service.daemon.dropped_windows
        found["heard"] = service.monitor.read().sources[SOURCE].audio_seconds
        marks.append(found)
        if len(marks) == 2:
            service.daemon.stop()
        return []

    # As `ast-edge` sees to for itself, before it loads NumPy.
    with threadpool_limits(1, "blas"), watch.running():
        for after in (WARM_UP, WARM_UP + seconds):
            threading.Timer(after, service.daemon.submit, [mark]).start()
        service.daemon.run()
    service.close()
    first, last = marks
    heard = last.pop("heard") - first["heard"]
    return {stage: (seconds - first[stage]) / heard for stage, seconds in last.items()}
