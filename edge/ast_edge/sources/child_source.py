"""A source that never gives up: it runs a child process and starts it again when it fails."""

import json
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace

from ast_edge.audio.health import OK, Health
from ast_edge.audio.rate_check import RateCheck
from ast_edge.audio.sample_clock import SampleClock
from ast_edge.audio.sound_check import MUTED_SECONDS
from ast_edge.audio.stream import Block, Stream
from ast_edge.base.secret_values import masked
from ast_edge.sources.child import Child, ChildError, ChildStalled
from ast_edge.sources.pcm import PcmFormat
from ast_edge.sources.sound_quality import SoundQuality

_log = logging.getLogger(__name__)

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 10.0
# A small computer that is busy booting needs seconds to start a process and open a device.
_START_TIMEOUT = 5.0
_LONGEST_MUTED_PAUSE = 600.0


class ChildSource:
    """The sound that a command writes to its standard output.

    The command is killed when nothing comes, and started again for ever, after 0.5 s at first and
    10 s at last. Every start is a new `Stream`. It begins where the sound is real, so a sound that
    has run away from the wall clock (lost samples, a set clock) becomes a new `Stream` as well; a
    crystal that is slightly off is followed. It is also started again at a wrong rate, and while it
    delivers nothing but zeros: after 30 s of them, 60 s, 120 s and so on, at last every 10 minutes.
    """

    def __init__(
        self,
        name: str,
        title: str,
        command: Sequence[str],
        *,
        pcm: PcmFormat | None = None,
        channel: int | None = None,
        stall_timeout: float = 3.0,
        start_timeout: float = _START_TIMEOUT,
        backlog_seconds: float = 0.0,
        muted_seconds: float = MUTED_SECONDS,
        true_rate: int | None = None,
        judges_channels: bool = True,
        secrets: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to run `command`; nothing is started yet.

        Args:
            title: what it listens to, as log messages name it: "microphone 'default'".
            pcm: the format of the output; None when the command says it in a first line of JSON
                with `sample_rate` and `channels`, and s16le follows.
            channel: the one that will be listened to, from 1; None is all.
            stall_timeout: seconds without data after which the command is started again.
            start_timeout: the same before the first data, if longer.
            backlog_seconds: seconds of older sound that may come first, at once, and are left out.
            muted_seconds: seconds of digital silence that are a fault; 0 is never.
            true_rate: hertz of the output, whatever is said of it; None believes what is said.
            judges_channels: whether to say what is wrong with the mean of all channels.
            secrets: what must not be shown of what the command says, with what to show instead.
            clock: Unix time in seconds.
            monotonic: seconds that only ever go forward.
        """
        self.name = name
        self.health = OK
        """Its newest condition; read in other threads."""
        self.failures = 0
        """Runs of the command so far that have failed."""
        self._title = title
        self._command = command
        self._pcm = pcm
        self._channel = channel
        self._stall_timeout, self._start_timeout = stall_timeout, start_timeout
        self._backlog_seconds = backlog_seconds
        self._secrets = secrets
        self._clock, self._monotonic = clock, monotonic
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._child: Child | None = None
        self._streams = 0
        self._lost_at: float | None = None
        self._true_rate = true_rate
        self._quality = SoundQuality(muted_seconds, channel, judges_channels=judges_channels)
        self._remarked = ""
        self._muted_seconds = self._muted_until = muted_seconds
        self._drift = OK
        """What was wrong with the rate when it was last started again for that."""

    @property
    def restarts(self) -> int:
        """Number of gaps so far: streams after the first one."""
        return max(self._streams - 1, 0)

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of 100 ms until `close`."""
        delay = _FIRST_DELAY
        while not self._closed.is_set():
            began = time.monotonic()
            try:
                yield from self._run()
            except ChildError as exc:
                if self._closed.is_set():  # it was `close` that ended the child
                    return
                self._lose(exc)
            if time.monotonic() - began > _LONGEST_DELAY:
                delay = _FIRST_DELAY
            self._closed.wait(delay * random.uniform(0.75, 1.25))
            delay = min(2 * delay, _LONGEST_DELAY)

    def close(self) -> None:
        """Kill the child and make `blocks` return, whatever it waits for; returns at once."""
        with self._lock:
            self._closed.set()
            child = self._child
        if child is not None:
            child.kill()

    def _run(self) -> Generator[Block, None, None]:
        """Yield what one child delivers, until it fails."""
        with self._lock:
            if self._closed.is_set():
                return
            child = self._child = Child(self._command, self._secrets, self._complaint_in)
        try:
            timeout = max(self._stall_timeout, self._start_timeout)
            pcm = self._pcm or _announced(child.read_line(timeout))
            if self._true_rate is not None:
                pcm = replace(pcm, sample_rate=self._true_rate)
            if self._channel is not None and self._channel > pcm.channels:
                raise ChildError(f"it has no channel {self._channel}, only {pcm.channels}")
            self._wait(child, timeout)
            self._quality.know_rate(self._begun(pcm))
            if self._backlog_seconds:
                self._leave_out_backlog(child, pcm, timeout)
            clock: SampleClock | None = None
            rate: RateCheck | None = None
            while True:
                asked = self._monotonic()
                samples = pcm.decode(child.read(pcm.block_bytes, timeout))
                came, now = self._monotonic(), self._clock()
                count, length = len(samples), len(samples) / pcm.sample_rate
                flows = came - asked > length / 2
                anchor = clock.feed(count, now, was_waited_for=flows) if clock else None
                if clock and not anchor:
                    _log.warning("%s: %s; starting a new stream", self._title, clock.complaint)
                    clock = None
                if clock is None:
                    stream, position = self._open_stream(pcm, now - length), 0
                    clock = SampleClock(pcm.sample_rate, stream.started_at)
                    anchor, timeout = clock.feed(count, now), self._stall_timeout
                rate = rate or RateCheck(pcm.sample_rate, came)
                self._check(block := Block(stream, position, samples, anchor), rate, came)
                yield block
                position += count
        finally:
            with self._lock:
                self._child = None
            child.close()

    def _begun(self, pcm: PcmFormat) -> int | None:
        """Take that sound comes; return its hertz before anybody converted it, None if unknown.

        Raises:
            ChildError: now that it is known what comes, it is to be opened again.
        """
        return None

    def _wait(self, child: Child, timeout: float) -> None:
        """Wait for the first sound; until then it has never opened."""
        try:
            child.wait(timeout)
        except ChildStalled as exc:
            raise ChildError(str(exc)) from exc

    def _leave_out_backlog(self, child: Child, pcm: PcmFormat, timeout: float) -> None:
        """Read on until sound has to be waited for, which then is that of now."""
        came: deque[float] = deque(maxlen=6)
        began, left_out = self._monotonic(), 0.0
        try:
            while left_out < self._backlog_seconds:
                child.read(pcm.block_bytes, timeout)
                came.append(self._monotonic())
                # Five blocks of live sound take 0.5 s; a busy computer is late by less than this.
                if len(came) == came.maxlen and came[-1] - came[0] > 0.2:
                    return
                left_out += 0.1
        except ChildStalled:
            raise
        except ChildError:
            if left_out < 2 * (self._monotonic() - began) + 1.0:
                raise
        raise ChildError("its sound comes faster than time goes by: is it a recording?")

    def _check(self, block: Block, rate: RateCheck, came: float) -> None:
        """Judge the newest sound; raises ChildError if it is to be opened again for that."""
        sound = self._quality.feed(block.samples, block.stream.sample_rate)
        if wrong := rate.feed(len(block.samples), came):
            if rate.likely_rate is not None:
                wrong += f"; if it always does, set `true_rate: {rate.likely_rate}`"
            self._drift = Health("drifting", wrong)
            self._set_health(self._drift)
            raise Unfit(wrong)
        if rate.is_steady:
            self._drift = OK
        self._set_health(sound if self._drift is OK else self._drift)
        if sound.condition != "muted":
            self._muted_until = self._muted_seconds
        elif (unchanged := self._quality.unchanged_seconds) >= self._muted_until:
            self._muted_until = unchanged + min(unchanged, _LONGEST_MUTED_PAUSE)
            raise Unfit(sound.reason)

    def _complaint_in(self, line: str) -> str:
        """Return the complaint that a line of the child's standard error is, if it is one."""
        return line

    def _open_stream(self, pcm: PcmFormat, started_at: float) -> Stream:
        if self._lost_at is not None:
            gone = time.monotonic() - self._lost_at
            _log.warning("%s is back after %.0f s", self._title, gone)
            self._lost_at = None
        self._streams += 1
        return Stream(self.name, pcm.sample_rate, pcm.channels, started_at, live=True)

    def _set_health(self, health: Health) -> None:
        """Keep how the sound is, and say it once."""
        before, self.health = self.health, health
        if health.condition in ("waiting", "stalled"):
            return
        if health.condition != "ok":
            if before.condition != health.condition:
                _log.warning("%s: %s", self._title, health.reason)
            return
        if before.condition not in ("ok", "waiting", "stalled"):
            _log.warning("%s: all right again", self._title)
        if health.reason not in ("", self._remarked):
            self._remarked = health.reason
            _log.warning("%s: %s", self._title, health.reason)

    def _lose(self, exc: ChildError) -> None:
        """Say that the sound is gone, once until it is back."""
        if isinstance(exc, Unfit):
            _log.debug("%s: opening it again: %s", self._title, exc)
            return
        self.failures += 1
        stalled = isinstance(exc, ChildStalled)
        self._set_health(Health("stalled" if stalled else "waiting", masked(str(exc))))
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            _log.warning("%s: %s (opening it again)", self._title, exc)
        else:
            _log.debug("%s: still gone: %s", self._title, exc)


class Unfit(ChildError):
    """There is sound, but it is to be opened again; what is wrong has been said."""


def _announced(line: str) -> PcmFormat:
    """Read the format that a child gives in its first line."""
    try:
        header = json.loads(line)
        return PcmFormat("s16le", int(header["sample_rate"]), int(header["channels"]))
    except (ValueError, KeyError, TypeError) as exc:
        raise ChildError(f"expected sample_rate and channels as JSON, got {line:.60}") from exc
