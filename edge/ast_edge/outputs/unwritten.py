"""Clips that are written only if somebody asks for them."""

import threading
from collections import OrderedDict

from ast_edge.outputs.clip_folder import Clip

MOST_BYTES = 32_000_000
"""Of samples in memory: a quarter of an hour of clips at 16 kHz, five minutes at 48 kHz."""
MOST_ASKED = 1000


class Unwritten:
    """The newest clips, in memory alone; safe in any thread."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Begin without any."""
        self._most, self._bytes = most_bytes, 0
        self._clips: OrderedDict[str, Clip] = OrderedDict()
        self._asked: OrderedDict[str, None] = OrderedDict()
        """Events whose clips were asked for before they were here."""
        self._lock = threading.Lock()

    def put(self, identifier: str, clip: Clip) -> bool:
        """Keep the clip of an event, and forget the oldest of more than may be.

        Returns whether it was asked for already; then it is not kept.
        """
        with self._lock:
            if identifier in self._asked:
                del self._asked[identifier]
                return True
            self._clips[identifier] = clip
            self._bytes += clip.samples.nbytes
            while self._bytes > self._most:
                _, oldest = self._clips.popitem(last=False)
                self._bytes -= oldest.samples.nbytes
            return False

    def ask(self, identifier: str) -> Clip | None:
        """Return the clip of an event and forget it; None if it is not here, or not yet."""
        with self._lock:
            clip = self._clips.pop(identifier, None)
            if clip:
                self._bytes -= clip.samples.nbytes
                return clip
            self._asked[identifier] = None
            if len(self._asked) > MOST_ASKED:
                self._asked.popitem(last=False)
            return None
