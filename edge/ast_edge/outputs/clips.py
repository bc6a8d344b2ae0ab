"""Keeps the sound of events as files, with what came before them."""

import logging
import queue
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ast_edge.audio.health import Health
from ast_edge.audio.stream import Block
from ast_edge.base.errors import ConfigError
from ast_edge.base.worker import Worker
from ast_edge.base.yaml_file import did_you_mean
from ast_edge.detection.event import Event
from ast_edge.frontend.listener import Window
from ast_edge.model.label import Label
from ast_edge.outputs.clip_folder import Clip, ClipFolder, clip_name
from ast_edge.outputs.config import ClipsConfig
from ast_edge.outputs.tape import Tape
from ast_edge.outputs.unwritten import Unwritten

log = logging.getLogger(__name__)

LATENESS = 15.0
"""Seconds by which an event's onset may lie behind the newest sound; then its pre-roll is cut."""
QUEUE = 16
"""Clips that may wait for the disk; more are dropped."""
PATIENCE = 5.0
"""Seconds for which the page waits for the disk when clips of reviewed events are written."""
PRUNE_PAUSE = 600.0
"""Seconds after which old clips are looked for although none is written."""


@dataclass
class _Recording:
    """A clip that is not complete yet."""

    event: Event
    tape: Tape
    start: int
    stop: int
    """The sample before which it ends; at first that of the longest clip."""
    ended: bool = False
    """Whether the event is over, and only its post-roll may be missing."""


class Clips:
    """A sink of events and an observer of sound: one FLAC file for each event.

    The last seconds of every source are kept in memory (mono, 16 bits). Encoding and writing happen
    in a thread of its own, which the daemon never waits for; a fault (a full disk) costs one line
    and the clips that fall into it. With `only_reviewed` clips stay in memory until `keep`.

    Raises:
        ConfigError: the folder cannot be made or written to.
    """

    def __init__(self, config: ClipsConfig, channels: Mapping[str, int | None]) -> None:
        """Take the channel that is listened to of each source; None is the mean of all."""
        self.written = 0
        self.failed = 0
        """Clips that could not be written."""
        self.dropped = 0
        """Clips for which the disk was too slow."""
        self._config = config
        self._channels = channels
        self._tapes: dict[str, list[Tape]] = {}
        """Of each source the newest stream and the one before: its events may still be to come."""
        self._recordings: dict[str, _Recording] = {}
        """By the ids of their events."""
        self._unwritten = Unwritten() if config.only_reviewed else None
        self._folder = ClipFolder(
            config.folder,
            max_age=config.max_age,
            max_bytes=config.max_bytes,
            min_free_bytes=config.min_free_bytes,
        )
        self._ready: queue.Queue[Clip | None] = queue.Queue(QUEUE)
        self._closing = threading.Event()
        self._faulty = False
        self._writer = Worker("clips", self._next, lambda action: action())
        self._writer.start()

    def heard(self, block: Block) -> None:
        """Keep sound, and complete the clips that it completes."""
        tapes = self._tapes.setdefault(block.stream.source, [])
        if not tapes or tapes[-1].stream is not block.stream:
            self._expect_no_more(block.stream.source)
            tapes.append(Tape(block.stream, self._channels.get(block.stream.source)))
            del tapes[:-2]
        tape = tapes[-1]
        tape.feed(block)
        recordings = [r for r in self._recordings.values() if r.tape is tape]
        for recording in recordings:
            if recording.stop <= tape.end:
                self._complete(recording)
        rate = block.stream.sample_rate
        oldest = tape.end - round((LATENESS + self._config.pre_roll) * rate)
        tape.forget(min([oldest, *(r.start for r in recordings)]))

    def publish(self, event: Event) -> None:
        """Begin a clip when an event starts, and set its end when the event ends."""
        wanted = self._config.labels
        if wanted is not None and not {event.label.name, event.label.slug} & set(wanted):
            return
        if event.phase == "start":
            self._begin(event)
        elif event.phase == "end" and (recording := self._recordings.get(event.id)):
            tape = recording.tape
            stop = tape.sample_at(event.offset + self._config.post_roll)
            recording.stop, recording.ended = min(recording.stop, stop), True
            if tape.complete or recording.stop <= tape.end:
                self._complete(recording)

    def keep(self, identifier: str) -> Path | None:
        """Write the clip of a reviewed event, now or when it is complete; in any thread.

        Returns where it will be soon; None if nobody has its sound any more.
        """
        if self._unwritten is None:
            return None
        recording = self._recordings.get(identifier)  # first: it leaves here last
        clip = self._unwritten.ask(identifier)
        if clip is not None:
            return self._folder.path / clip.name if self._hand_over(clip, PATIENCE) else None
        return self._folder.path / clip_name(recording.event) if recording else None

    def silent(self, source: str) -> None:
        """Wait for no more sound."""
        self._expect_no_more(source)

    def ended(self, source: str, error: BaseException | None) -> None:
        """Wait for no more sound."""
        self._expect_no_more(source)

    def health(self, source: str, health: Health) -> None:
        """Do nothing: sound is kept as it comes."""

    def scored(self, windows: Sequence[Window], seconds: float, dropped: int) -> None:
        """Do nothing: events say what to keep."""

    def close(self) -> None:
        """Write what is complete or can be completed, for two seconds."""
        for recording in list(self._recordings.values()):
            self._complete(recording)
        self._closing.set()
        self._wake()
        self._writer.join(timeout=2.0)
        if self._writer.is_alive():
            log.error("clips: the disk is too slow: %d or more are lost", self._ready.qsize() + 1)

    def _begin(self, event: Event) -> None:
        tapes = self._tapes.get(event.source, [])
        # An event may belong to the stream before the newest, when that has only just begun.
        for tape in reversed(tapes):
            start = tape.sample_at(event.onset)
            if 0 <= start <= tape.end:
                start = max(0, start - round(self._config.pre_roll * tape.stream.sample_rate))
                stop = start + round(self._config.max_length * tape.stream.sample_rate)
                self._recordings[event.id] = _Recording(event, tape, start, stop)
                return

    def _expect_no_more(self, source: str) -> None:
        """Complete the clips of the newest stream that only wait for their post-roll."""
        for tape in self._tapes.get(source, [])[-1:]:
            tape.complete = True
            waiting = [r for r in self._recordings.values() if r.tape is tape and r.ended]
            for recording in waiting:
                self._complete(recording)

    def _complete(self, recording: _Recording) -> None:
        """Hand a clip to the writer, or keep it until it is asked for."""
        tape = recording.tape
        clip = Clip(
            clip_name(recording.event),
            tape.stream.sample_rate,
            tape.cut(recording.start, recording.stop),
        )
        if self._unwritten is None or self._unwritten.put(recording.event.id, clip):
            self._hand_over(clip)
        del self._recordings[recording.event.id]

    def _hand_over(self, clip: Clip, patience: float = 0.0) -> bool:
        try:
            self._ready.put(clip, patience > 0, patience)
            return True
        except queue.Full:
            self.dropped += 1
            if self.dropped & (self.dropped - 1) == 0:  # 1, 2, 4, 8, ...
                log.error("clips: the disk is too slow: %d dropped so far", self.dropped)
            return False

    def _wake(self) -> None:
        try:
            self._ready.put_nowait(None)
        except queue.Full:
            return  # it is awake

    def _next(self) -> Callable[[], None] | None:
        """Wait for a clip to write, or for it to be time to look for old ones."""
        if self._closing.is_set() and self._ready.empty():
            return None
        try:
            clip = self._ready.get(timeout=PRUNE_PAUSE)
        except queue.Empty:
            clip = None
        return self._prune if clip is None else partial(self._write, clip)

    def _prune(self) -> None:
        try:
            self._folder.prune()
        except OSError as exc:
            self._fail(exc.strerror or str(exc))

    def _write(self, clip: Clip) -> None:
        try:
            path = self._folder.write(clip)
        except OSError as exc:
            self._fail(exc.strerror or str(exc))
            return
        self.written += 1
        log.debug("clips: %s", path)
        if self._faulty:
            self._faulty = False
            log.info("clips: can be written again; %d were not", self.failed)

    def _fail(self, fault: str) -> None:
        if not self._faulty:
            log.error(
                "clips: %s: cannot be written: %s; further faults are counted",
                *(self._config.folder, fault),
            )
        self._faulty = True
        self.failed += 1


def check_clips(config: ClipsConfig, labels: Collection[Label]) -> None:
    """Compare the labels whose sound is to be kept with those that are reported.

    Raises:
        ConfigError: for one that is not, with the nearest match.
    """
    known = [label.name for label in labels]
    for name in config.labels or ():
        if name not in known and name not in [label.slug for label in labels]:
            raise ConfigError(
                f"clips.labels: {name!r} is not reported, so there would be nothing to keep"
                f"{did_you_mean(name, known)}"
            )
