"""One sound card that several sources listen to, each to a channel of its own."""

import logging
import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

from ast_edge.audio.health import OK, Health
from ast_edge.audio.sound_check import MUTED_SECONDS, SoundCheck
from ast_edge.audio.stream import Block, Stream
from ast_edge.sources.child_source import Unfit
from ast_edge.sources.microphone import MicrophoneSource

_log = logging.getLogger(__name__)

_QUEUE_BLOCKS = 100
"""Ten seconds that a listener may be busy; what comes then is a gap."""


@dataclass(frozen=True)
class CardSettings:
    """How a card is opened; sources that agree in it share one capture."""

    device: str
    sample_rate: int | None = None
    channels: int | None = None
    true_rate: int | None = None
    stall_timeout: float = field(default=3.0, compare=False)
    """The first one's counts."""


class CardChannel:
    """A source that hears one channel of a card which others may listen to at the same time.

    Its blocks hold all channels. A card is opened with the first of its listeners and closed with
    the last.
    """

    def __init__(
        self, name: str, card: CardSettings, channel: int, muted_seconds: float = MUTED_SECONDS
    ) -> None:
        """Take the channel to judge, from 1; nothing is started yet."""
        self.name, self.channel = name, channel
        self._title = f"source {name}, channel {channel} of {card.device!r}"
        self._sound = SoundCheck(muted_seconds, channel)
        self._own = OK
        self._blocks: queue.Queue[Block] = queue.Queue(_QUEUE_BLOCKS)
        self._closed = threading.Event()
        self._card = _join(card, self)

    @property
    def health(self) -> Health:
        """The newest of the card, or of the channel where the card is all right."""
        card = self._card.source.health
        return card if card.condition != "ok" or self._own is OK else self._own

    @property
    def failures(self) -> int:
        """Attempts to record from the card so far that have failed."""
        return self._card.source.failures

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of 100 ms until `close`."""
        self._card.start()
        upstream: Stream | None = None
        stream, base, began, following = None, 0, 0.0, 0
        while not self._closed.is_set():
            try:
                block = self._blocks.get(timeout=0.2)
            except queue.Empty:
                self._card.raise_error()
                continue
            if not self._judge(block):
                continue
            if stream is None or block.stream is not upstream or block.start != following:
                upstream, base = block.stream, block.start
                began = base / upstream.sample_rate
                stream = replace(
                    upstream, source=self.name, started_at=block.when.time_at(began), live=True
                )
            following = block.start + len(block.samples)
            yield replace(
                block, stream=stream, start=block.start - base, anchor=block.when.since(began)
            )

    def close(self) -> None:
        """Make `blocks` return; the card is closed when nobody listens any more."""
        if not self._closed.is_set():
            self._closed.set()
            _leave(self._card, self)

    def take(self, block: Block) -> None:
        """Keep a block until it is asked for; called by the card."""
        try:
            self._blocks.put_nowait(block)
        except queue.Full:
            _log.debug("%s: has not been read for 10 s", self._title)

    def _judge(self, block: Block) -> bool:
        """Say how the channel is; return whether there is one."""
        channels, before = block.samples.shape[1], self._own
        if channels < self.channel:
            self._own = Health("waiting", f"it has no channel {self.channel}, only {channels}")
        else:
            self._own = self._sound.feed(block.samples, block.stream.sample_rate)
        if self._own.condition != before.condition:
            _log.warning("%s: %s", self._title, self._own.reason or "all right again")
        exists: bool = channels >= self.channel
        return exists


class _CardSource(MicrophoneSource):
    """A microphone that is opened with as many channels as its listeners need."""

    def __init__(self, settings: CardSettings) -> None:
        super().__init__(
            settings.device,
            settings.device,
            sample_rate=settings.sample_rate,
            channels=settings.channels,
            stall_timeout=settings.stall_timeout,
            true_rate=settings.true_rate,
            judges_channels=False,
        )
        self._fixed = tuple(self._command)
        self.needed = 1
        """Channels."""

    def _run(self) -> Generator[Block, None, None]:
        asked = self.needed
        self._command = [*self._fixed, f"--at-least={asked}"]
        with closing(super()._run()) as blocks:
            for block in blocks:
                yield block
                if self.needed > max(asked, block.samples.shape[1]):
                    raise Unfit(f"a listener needs {self.needed} channels")


class _Card:
    """A capture, and who listens to it."""

    def __init__(self, settings: CardSettings) -> None:
        self.settings, self.source = settings, _CardSource(settings)
        self.listeners: list[CardChannel] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._pass_on, name=f"card {settings.device}", daemon=True
        )
        self._start = threading.Lock()

    def start(self) -> None:
        """Begin to record, unless it has begun."""
        with self._start:
            if self._thread.ident is None:
                self._thread.start()

    def raise_error(self) -> None:
        """Raise what has ended the capture: a bug, which is to end its listeners too."""
        if self._error is not None:
            raise self._error

    def _pass_on(self) -> None:
        try:
            for block in self.source.blocks():
                for listener in tuple(self.listeners):
                    listener.take(block)
        except BaseException as exc:
            self._error = exc
            raise


_cards: dict[CardSettings, _Card] = {}
_lock = threading.Lock()


def _join(settings: CardSettings, listener: CardChannel) -> _Card:
    """Add a listener to a card; one that needs more channels than it gives has it opened anew."""
    with _lock:
        card = _cards.setdefault(settings, _Card(settings))
        card.listeners.append(listener)
        card.source.needed = max(card.source.needed, listener.channel)
        return card


def _leave(card: _Card, listener: CardChannel) -> None:
    with _lock:
        card.listeners.remove(listener)
        if not card.listeners and _cards.get(card.settings) is card:
            del _cards[card.settings]
            card.source.close()
