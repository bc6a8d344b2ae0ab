"""Let the whole system run for long: memory, threads, descriptors, and every scripted event.

    python benchmarks/soak.py --fast --hours 72     # of audio, as fast as it can be processed
    python benchmarks/soak.py --fast --hours 24 --viewer   # and a browser looks at the page
    python benchmarks/soak.py --live --minutes 60   # a microphone; it and the broker fail

Both run `ast-edge run` as a process, a Mosquitto and a subscriber of its own. `--fast` plays the
same hour over and over: every hour must give the events of the first. `--live` plays two sounds
every half minute into a virtual microphone, while the broker is stopped and the microphone is
killed, frozen and unplugged at random; every sound outside the outages of the microphone must
arrive. Figures go to `--out` (JSON) and, as a table in Markdown, to standard output.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from parts.daemon.onlooker import Onlooker  # noqa: E402
from parts.daemon.soak_report import Report  # noqa: E402
from rigs.broker import mosquitto  # noqa: E402
from rigs.sound import pulse  # noqa: E402

RATE = 16_000
DEMO = ROOT / "configs" / "demo" / "home.ogg"
EXCERPT = slice(42 * RATE, 53 * RATE)
LABELS = ("Tick-tock", "Speech")
"""The sounds of the excerpt; all are found whatever the phase of the hop."""
PERIOD = 30.0
"""Seconds from one playing of the excerpt to the next."""
PAGE, TOKEN = "127.0.0.1:18097", "only for the soak"
RECOVERY = 20.0
"""Seconds after the end of a microphone's outage in which the daemon must hear again."""


class Daemon:
    """`ast-edge run` as a process, whose resources are sampled."""

    def __init__(
        self, folder: Path, tree: dict[str, Any], environment: dict[str, str], report: Report
    ) -> None:
        """Start it."""
        config = folder / "mic.yaml"
        config.write_text(yaml.safe_dump(tree))
        self._report, self._begun = report, time.monotonic()
        self.log = folder / "log"
        paths = {"STATE_DIRECTORY": str(folder / "state"), "RUNTIME_DIRECTORY": str(folder)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ast_edge", "run", "--config", config],
                stdin=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **paths, **environment},
            )

    def sample(self) -> None:
        """Note what the daemon itself takes; its children come and go with the microphone."""
        process = Path(f"/proc/{self.process.pid}")
        with contextlib.suppress(FileNotFoundError):
            status = dict(
                line.split(":", 1) for line in (process / "status").read_text().splitlines()
            )
            if "VmRSS" in status:
                self._report.samples.append(
                    {
                        "seconds": round(time.monotonic() - self._begun, 1),
                        "rss": int(status["VmRSS"].split()[0]) / 1024,
                        "threads": int(status["Threads"]),
                        "descriptors": len(list((process / "fd").iterdir())),
                    }
                )

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *_: object) -> None:
        """End it, if it has not ended, and note how it ended."""
        self._report.seconds = time.monotonic() - self._begun
        if self.process.poll() is None:
            self.process.terminate()
        self._report.exit_status = self.process.wait(60)


class Events:
    """The beginnings of events as a subscriber of the broker gets them, each once."""

    def __init__(self, broker: mosquitto.Mosquitto) -> None:
        """Subscribe in a session that the broker keeps while either is away."""
        self._seen = set[str]()
        self._starts = list[tuple[str, float]]()
        self._process = subprocess.Popen(
            [
                *("mosquitto_sub", *broker.client_options(), "-c", "-i", "soak", "-q", "1"),
                *("-t", "ast-edge/soak/kitchen/event"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def starts(self) -> list[tuple[str, float]]:
        """Return label and onset (Unix time) of every event so far."""
        return list(self._starts)

    def close(self) -> None:
        """Stop listening."""
        self._process.kill()
        self._process.wait(10)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            event = json.loads(line)
            if event["type"] == "start" and event["id"] not in self._seen:
                self._seen.add(event["id"])
                onset = datetime.fromisoformat(event["onset"].replace("Z", "+00:00"))
                self._starts.append((event["label"], onset.timestamp()))


def main() -> None:
    """Run, print the table, and fail if an event is missing or the daemon has crashed."""
    parser = argparse.ArgumentParser(description=__doc__)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--fast", action="store_true")
    kind.add_argument("--live", action="store_true")
    parser.add_argument("--hours", type=float, default=72.0, help="of audio, with --fast")
    parser.add_argument("--hour", type=float, default=3600.0, help="seconds of what is repeated")
    parser.add_argument("--minutes", type=float, default=60.0, help="with --live")
    parser.add_argument("--limit", type=float, help="seconds after which --fast stops feeding")
    parser.add_argument("--hop", type=float, default=0.5, help="seconds, with --fast")
    parser.add_argument("--viewer", action="store_true", help="with --fast, look at the page")
    parser.add_argument("--sample", type=float, default=60.0, help="seconds between samples")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    machine = f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}"
    report = Report(f"{machine}, {datetime.now():%Y-%m-%d}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "broker").mkdir()
        broker = mosquitto.Mosquitto(folder / "broker", persistent=True)
        with broker, contextlib.closing(Events(broker)) as events:
            (fast if args.fast else live)(args, folder, broker, events, report)
        log = (folder / "log").read_text()
    print(report.table())
    print("\n".join(f"missed: {one}" for one in report.missed[:20]))
    if args.out:
        figures = vars(report) | {"faults": dict(report.faults), "log": log[-20_000:]}
        args.out.write_text(json.dumps(figures, indent=1))
    if report.missed or report.surplus or report.exit_status or "Traceback" in log:
        raise SystemExit(f"not as it should be; the log ends with:\n{log[-3000:]}")


def configuration(broker: mosquitto.Mosquitto, **changes: object) -> dict[str, Any]:
    """Return the configuration of the daemon."""
    mqtt = {"host": "127.0.0.1", "port": broker.port}
    return {"node": "soak", "engine": {"threads": 1}, "mqtt": mqtt, **changes}


def fast(
    args: argparse.Namespace,
    folder: Path,
    broker: mosquitto.Mosquitto,
    events: Events,
    report: Report,
) -> None:
    """Feed hours of audio through standard input."""
    hour = _hour(args.hour)
    source = {"stdin": "s16le", "sample_rate": RATE, "pace": "fast"}
    tree = configuration(broker, sources={"kitchen": source | {"hop": args.hop}})
    if args.viewer:
        tree["web"] = {"listen": PAGE, "token": TOKEN}
    with Daemon(folder, tree, {}, report) as daemon:
        _wait_for_page(args.viewer)
        began, hours = time.time(), 0
        assert daemon.process.stdin
        with _sampled(daemon, args.sample), _watched(args, report):
            while hours < args.hours * 3600 / args.hour and daemon.process.poll() is None:
                if args.limit and time.time() - began > args.limit and hours > 1:
                    break
                daemon.process.stdin.write(hour)
                hours += 1
                print(f"{hours} hours fed after {time.time() - began:.0f} s", flush=True)
        daemon.process.stdin.close()
        daemon.process.wait(600)
    _wait_for_quiet(events)
    report.audio_seconds = hours * args.hour
    counts = _per_hour(events.starts(), began, args.hour)
    for number in range(hours):
        report.expected += sum(counts[0].values())
        report.found += sum((counts[0] & counts[number]).values())
        report.missed += [f"hour {number}: {x}" for x in (counts[0] - counts[number]).elements()]
        report.surplus += [f"hour {number}: {x}" for x in (counts[number] - counts[0]).elements()]


def _hour(seconds: float) -> bytes:
    """Return the demo over and over, with silence around it, as PCM of a whole number of hops."""
    samples, _ = soundfile.read(DEMO, dtype="int16")
    total, margin = round(seconds) * RATE, 5 * RATE
    times = (total - 2 * margin) // len(samples)
    sound = np.concatenate([np.zeros(margin, np.int16), *[samples] * times])
    return np.pad(sound, (0, total - len(sound))).astype("<i2").tobytes()


def _per_hour(
    starts: list[tuple[str, float]], began: float, hour: float
) -> "dict[int, Counter[str]]":
    """Count the events by hour and label."""
    counts: dict[int, Counter[str]] = {0: Counter()}
    # The stream begins a little before its first block has arrived, and loading takes a while.
    first = min((onset for _, onset in starts), default=began)
    for label, onset in starts:
        counts.setdefault(int((onset - first + 3) // hour), Counter())[label] += 1
    return _Missing(counts)


class _Missing(dict[int, "Counter[str]"]):
    def __missing__(self, hour: int) -> "Counter[str]":
        return Counter()


def live(
    args: argparse.Namespace,
    folder: Path,
    broker: mosquitto.Mosquitto,
    events: Events,
    report: Report,
) -> None:
    """Play sounds into a microphone while it and the broker fail."""
    samples, _ = soundfile.read(DEMO, dtype="float32")
    excerpt = folder / "excerpt.wav"
    soundfile.write(excerpt, soxr.resample(samples[EXCERPT], RATE, 48_000), 48_000)
    sources = {"kitchen": {"microphone": pulse.DEVICE}}
    labels = {label: {"on": 0.5} for label in LABELS}
    played, outages = list[float](), list[tuple[float, float]]()
    with pulse.VirtualMicrophone() as microphone:
        tree = configuration(broker, sources=sources, labels=labels)
        with (
            Daemon(folder, tree, microphone.environment, report) as daemon,
            _sampled(daemon, args.sample),
        ):
            microphone.wait_for_listener()
            time.sleep(3)
            until = time.time() + 60 * args.minutes
            faults = _Faults(args.seed, broker, microphone, outages, report.faults)
            while time.time() < until and daemon.process.poll() is None:
                played.append(time.time())
                # The sound server may be dead or without the speaker: then nothing is played.
                microphone.play(excerpt)
                next_one = played[-1] + PERIOD
                while time.time() < next_one:
                    faults.perhaps()
                    time.sleep(0.2)
            faults.end()
            time.sleep(10)
            _wait_for_quiet(events)
            report.audio_seconds = time.time() - played[0]
    _judge(played, outages, events.starts(), report)


def _judge(
    played: list[float],
    outages: list[tuple[float, float]],
    starts: list[tuple[str, float]],
    report: Report,
) -> None:
    """Compare what was played with what has arrived."""
    length = (EXCERPT.stop - EXCERPT.start) / RATE
    for moment in played:
        end = moment + length + 3
        away = any(begun - 2 < end and moment < over + RECOVERY for begun, over in outages)
        for label in LABELS:
            if any(one == label and moment - 1 < onset < end for one, onset in starts):
                report.found += not away
            elif not away:
                report.missed.append(f"{label} at {datetime.fromtimestamp(moment):%H:%M:%S}")
            report.expected += not away
            report.excused += away


class _Faults:
    """Lets the broker and the microphone fail, never both ways at once, and heals them again."""

    def __init__(
        self,
        seed: int,
        broker: mosquitto.Mosquitto,
        microphone: pulse.VirtualMicrophone,
        outages: list[tuple[float, float]],
        count: "Counter[str]",
    ) -> None:
        self._random = random.Random(seed)
        self._outages, self._count = outages, count
        self._kinds: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
            "broker stopped": (broker.stop, broker.start),
            "broker frozen": (broker.freeze, broker.thaw),
            "microphone killed": (microphone.kill, microphone.start),
            "microphone frozen": (microphone.stall, microphone.resume),
            "microphone unplugged": (microphone.unplug, microphone.replug),
        }
        self._running: tuple[str, float, float] | None = None
        self._next = time.time() + self._random.uniform(20, 60)

    def perhaps(self) -> None:
        """Begin or end a fault if it is time to."""
        now = time.time()
        if self._running and now > self._running[2]:
            self.end()
            self._next = time.time() + self._random.uniform(40, 160)
        elif not self._running and now > self._next:
            kind = self._random.choice(list(self._kinds))
            self._running = (kind, now, now + self._random.uniform(2, 30))
            self._count[kind] += 1
            print(f"{datetime.now():%H:%M:%S} {kind}", flush=True)
            self._kinds[kind][0]()

    def end(self) -> None:
        """Heal what is broken."""
        if self._running:
            kind, begun, _ = self._running
            self._kinds[kind][1]()
            if kind.startswith("microphone"):
                self._outages.append((begun, time.time()))
            self._running = None


def _wait_for_page(wanted: bool) -> None:
    """Wait until the daemon serves its page."""
    while wanted:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://{PAGE}/api/alive", timeout=5).close()
            return
        time.sleep(0.3)


@contextlib.contextmanager
def _watched(args: argparse.Namespace, report: Report) -> Iterator[None]:
    """Let a browser look at the page meanwhile, if it is wanted."""
    if not args.viewer:
        yield
        return
    with Onlooker(f"http://{PAGE}/", TOKEN, args.sample) as onlooker:
        yield
    report.tab, report.missed = onlooker.samples, report.missed + onlooker.faults


@contextlib.contextmanager
def _sampled(daemon: Daemon, pause: float) -> Iterator[None]:
    """Sample the daemon's resources meanwhile."""
    over = threading.Event()

    def sample() -> None:
        while not over.wait(pause):
            daemon.sample()

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _wait_for_quiet(events: Events) -> None:
    """Wait until no event has come for three seconds."""
    count = -1
    while count != len(events.starts()):
        count = len(events.starts())
        time.sleep(3)


if __name__ == "__main__":
    main()
