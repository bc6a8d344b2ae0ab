"""What ffmpeg says on its standard error, line by line."""

import re

OPTIONS = ("-hide_banner", "-nostats", "-loglevel", "level+info")
"""Options with which ffmpeg says it as expected here."""

_LEVEL = re.compile(r"\[(panic|fatal|error|warning|info|verbose|debug|trace)\] ?")
_INPUT = re.compile(r"Input #0, ([\w,]+), from ")
_AUDIO = re.compile(r"Stream #(\d+:\d+)\b.*: Audio: .*?\b(\d+) Hz")
_CHOSEN = re.compile(r"Stream #(\d+:\d+) -> #0:0\b")
_COMPLAINTS = ("panic", "fatal", "error")
_SEGMENTED = {"hls", "applehttp", "dash"}


class FfmpegNotices:
    """Tells complaints from what ffmpeg found, and keeps the latter."""

    def __init__(self) -> None:
        self.sample_rate: int | None = None
        """Hertz of the sound as it comes; None until ffmpeg has said it."""
        self.is_segmented = False
        """Whether it comes as files of some seconds each, as in HLS."""
        self._rates: dict[str, int] = {}
        self._is_input = False
        self._level = "fatal"
        """Of the newest line; its further lines have none, nor have complaints of the loader."""

    def take(self, line: str) -> str:
        """Take a line, and return the complaint that it is, without its level; else nothing."""
        if found := _LEVEL.search(line):
            self._level = found[1]
        text = _LEVEL.sub("", line, count=1)
        if self._level in _COMPLAINTS:
            return text
        if self._level == "info":
            self._learn(text)
        return ""

    def _learn(self, text: str) -> None:
        if found := _INPUT.match(text):
            self._is_input = True
            self.is_segmented = not _SEGMENTED.isdisjoint(found[1].split(","))
        elif text.startswith("Output #"):
            self._is_input = False
        elif found := _CHOSEN.search(text):
            self.sample_rate = self._rates.get(found[1])
        elif self._is_input and (found := _AUDIO.search(text)):
            self._rates[found[1]] = int(found[2])
