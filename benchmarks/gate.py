"""Measure what the silence gate and an idle hop skip and miss, on sounds over room tone.

python benchmarks/gate.py --clips esc50/audio --background room.ogg --hours 2

Every so many seconds a clip sounds, some decibels below its own level. All windows are scored once;
then the events are tracked with and without each gate and idle hop.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ast_edge.audio.stream import Block, Stream
from ast_edge.detection.event import Event
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import WindowScores
from ast_edge.frontend.gate import GateSettings
from ast_edge.frontend.listener import Listener, Window
from ast_edge.frontend.listening import Listening
from ast_edge.model.bundle import find_bundle, load_bundle

Sound = NDArray[np.float32]
Scored = list[tuple[Window, WindowScores]]

LEVELS = (-60, -55, -50, -45, -40, -35, -30)
ABOVE_FLOOR = (6, 10, 15, 20, 25)
IDLE_HOPS = (1.0, 2.0, 4.0)


def main() -> None:
    """Print a line for each gate and each idle hop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True, help="a folder of recordings")
    parser.add_argument("--background", type=Path, required=True, help="a recording, looped")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--gap", type=float, default=30.0, help="seconds from clip to clip")
    parser.add_argument("--quieter", type=float, default=20.0, help="0 to so many decibels (20)")
    parser.add_argument("--level", type=float, nargs="*", default=LEVELS)
    parser.add_argument("--above-floor", type=float, nargs="*", default=ABOVE_FLOOR)
    parser.add_argument("--idle-hop", type=float, nargs="*", default=IDLE_HOPS)
    parser.add_argument("--bundle", default="home")
    parser.add_argument("--hop", type=float, default=0.5)
    args = parser.parse_args()
    bundle = load_bundle(find_bundle(args.bundle))
    rate = bundle.fbank.sample_rate
    sound, spans = mix(args.clips, args.background, args.hours, args.gap, args.quieter, rate)
    stream = Stream("bench", rate, 1, started_at=0.0, live=False)

    def blocks() -> Iterator[Block]:
        for start in range(0, len(sound), rate):
            yield Block(stream, start, sound[start : start + rate, np.newaxis])

    engine, scored = open_engine(bundle, EngineConfig(threads=1)), Scored()
    listener, began = (
        Listener(Listening(bundle.fbank, bundle.frames, args.hop)),
        time.perf_counter(),
    )
    for block in blocks():
        windows = listener.feed(block)
        if windows:
            scores = engine.run(np.stack([window.fbank for window in windows]))
            scored += zip([_light(window) for window in windows], scores.each(), strict=True)
    seconds = time.perf_counter() - began
    print(f"{args.hours:g} h, {len(spans)} clips, {len(scored)} windows in {seconds:.0f} s")

    def track(gate: GateSettings | None, idle_hop: float | None) -> tuple[list[Event], float]:
        pipeline = Pipeline(
            "bench",
            Hearing(bundle, bundle.settings, args.hop, gate=gate, idle_hop=idle_hop),
        )
        gated = (window for block in blocks() for window in pipeline.feed(block))
        events, skipped = list[Event](), 0
        for window, (_, scores) in zip(gated, scored, strict=True):
            if pipeline.may_skip(window):
                events += pipeline.skip(window)
                skipped += 1
            else:
                events += pipeline.score(window, *scores)
        ends = [event for event in events + pipeline.finish() if event.phase == "end"]
        return ends, skipped / len(scored)

    reference, _ = track(None, None)
    of_clips = [event for event in reference if _overlaps(event, spans)]
    print(f"{len(of_clips)} events of clips, {len(reference) - len(of_clips)} of the background")
    gates = [GateSettings(level=dbfs) for dbfs in args.level]
    gates += [GateSettings(above_floor=decibels) for decibels in args.above_floor]
    settings: list[tuple[GateSettings | None, float | None]] = [(gate, None) for gate in gates]
    settings += [(None, seconds) for seconds in args.idle_hop if seconds <= bundle.window_seconds]
    for gate, idle_hop in settings:
        found, share = track(gate, idle_hop)
        missed = [event for event in reference if not _is_found(event, found)]
        missed_of_clips = sum(event in of_clips for event in missed)
        for event in missed:
            print(f"  missed: {event.label.name}, peak {event.peak:.2f} at {event.onset:.1f} s")
        later = sum(
            event.onset > twin.onset + 0.001
            for twin in of_clips
            for event in found
            if event.label == twin.label and abs(event.offset - twin.offset) < 0.001
        )
        name = gate or f"idle hop {idle_hop:g} s"
        print(
            f"{name}: skipped {share:.1%}, missed {missed_of_clips} of clips, "
            f"{len(missed) - missed_of_clips} of the background, {later} later onsets"
        )


def mix(
    clips: Path, background: Path, hours: float, gap: float, quieter: float, rate: int
) -> tuple[Sound, list[tuple[float, float]]]:
    """Return the sound and from when to when the clips sound, in seconds."""
    rng = np.random.default_rng(1)
    room = _read(background, rate)
    sound = np.resize(np.concatenate([room, room[::-1]]), round(hours * 3600 * rate))
    paths = sorted(path for path in clips.iterdir() if path.suffix in (".ogg", ".wav", ".flac"))
    order = rng.permutation(len(paths))
    spans = []
    for number, start in enumerate(np.arange(gap, hours * 3600 - gap, gap)):
        clip = _read(paths[order[number % len(paths)]], rate)
        clip = clip * 10 ** (rng.uniform(-quieter, 0) / 20)
        first = round((start + rng.uniform(0, 1)) * rate)
        sound[first : first + len(clip)] += clip
        spans.append((first / rate, (first + len(clip)) / rate))
    return sound.astype(np.float32), spans


def _read(path: Path, rate: int) -> Sound:
    samples, own_rate = soundfile.read(path, dtype="float32", always_2d=True)
    resampled: Sound = soxr.resample(samples.mean(axis=1), own_rate, rate)
    return resampled


def _light(window: Window) -> Window:
    """Forget the features: hours of them do not fit in memory."""
    empty = np.zeros((0, 0), np.float32)
    return Window(window.stream, window.start, window.end, window.hop, window.heard, empty)


def _overlaps(event: Event, spans: list[tuple[float, float]]) -> bool:
    return any(event.onset < end and event.offset > start for start, end in spans)


def _is_found(event: Event, found: list[Event]) -> bool:
    return any(
        other.label == event.label and other.onset < event.offset and other.offset > event.onset
        for other in found
    )


if __name__ == "__main__":
    main()
