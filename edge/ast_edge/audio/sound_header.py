"""What the head of a recording says of its length, and whether that may be believed."""

import mmap
import os
import struct
from dataclasses import dataclass

_UNKNOWN = b"\xff\xff\xff\xff"
"""As the size of a WAV's data: until the end of the file."""
_JUNK = 4096
"""Bytes behind the sound that need no explanation, such as a tag or padding."""
_MOST_CHUNKS = 1000
_FIRST_FRAME = 4096
"""Bytes from the start of an MP3's sound within which its header of VBR lies."""
_FIRST_PAGE = b"OggS\0\x02"
"""How the first page of a stream begins in Ogg."""


@dataclass(frozen=True)
class Patch:
    """Bytes of a file that should be others."""

    offset: int
    data: bytes


def wav_patches(fd: int) -> list[Patch]:
    """Return what makes the header of a WAV whole that its recorder never filled in; often nothing.

    A recorder that was killed leaves a size of 0, or that of its last look at the clock. What
    follows is sound then, and no chunk.
    """
    size = os.fstat(fd).st_size
    kind, _, form = struct.unpack("<4sI4s", os.pread(fd, 12, 0).ljust(12, b"\0"))
    if kind not in (b"RIFF", b"RF64") or form != b"WAVE":
        return []
    at, long_size = 12, 0
    for _ in range(_MOST_CHUNKS):
        name, length = _chunk(fd, at)
        if name == b"ds64":
            _, long_size = struct.unpack("<QQ", os.pread(fd, 16, at + 8).ljust(16, b"\0"))
        if name == b"data":
            break
        at += 8 + length + length % 2
        if at + 8 > size:
            return []
    else:
        return []
    if kind == b"RF64" and length == 0xFFFFFFFF:
        length = long_size
    end = at + 8 + length + length % 2
    rest = size - end
    following, following_length = _chunk(fd, end)
    is_chunk = following.isascii() and following.decode("latin-1").isprintable()
    if rest < (8 if length == 0 else _JUNK) or (is_chunk and following_length <= rest):
        return []
    to_the_end = Patch(at + 4, _UNKNOWN)
    return [Patch(0, b"RIFF"), to_the_end] if kind == b"RF64" else [to_the_end]


def mp3_says_its_length(fd: int) -> bool:
    """Tell whether an MP3 has a header with its length (Xing, Info, VBRI) that fits the file.

    Without one a decoder guesses from the first frame's bits per second; of several recordings in
    one file, one behind the other, only the first has its length said.
    """
    start = _behind_tags(fd)
    head = os.pread(fd, _FIRST_FRAME, start)
    frames = sound = 0
    if (at := head.find(b"VBRI")) >= 0:
        sound, frames = struct.unpack(">II", head[at + 10 : at + 18].ljust(8, b"\0"))
    elif (at := max(head.find(b"Xing"), head.find(b"Info"))) >= 0:
        flags, first, second = struct.unpack(">III", head[at + 4 : at + 16].ljust(12, b"\0"))
        frames, sound = (first, second) if flags & 3 == 3 else (0, 0)
    if not frames or not sound:
        return False
    return _tags_begin(fd) - start <= sound * 1.01 + _JUNK // 2


def ogg_is_chained(fd: int) -> bool:
    """Tell whether an Ogg file holds several streams, as a recorded web radio does."""
    with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as content:
        return content.find(_FIRST_PAGE, len(_FIRST_PAGE)) >= 0


def _chunk(fd: int, at: int) -> tuple[bytes, int]:
    """Return the name of a chunk of RIFF and how long its content is."""
    name, length = struct.unpack("<4sI", os.pread(fd, 8, at).ljust(8, b"\0"))
    return name, length


def _behind_tags(fd: int) -> int:
    """Return where an MP3's sound begins, behind ID3v2 tags."""
    at = 0
    while (head := os.pread(fd, 10, at))[:3] == b"ID3" and len(head) == 10:
        a, b, c, d = (byte & 127 for byte in head[6:])
        at += 10 + (a << 21 | b << 14 | c << 7 | d)
    return at


def _tags_begin(fd: int) -> int:
    """Return where an MP3's sound ends, before tags of ID3v1 and APE."""
    end = os.fstat(fd).st_size
    if os.pread(fd, 3, max(end - 128, 0)) == b"TAG":
        end -= 128
    footer = os.pread(fd, 32, max(end - 32, 0))
    if footer[:8] == b"APETAGEX":
        end -= int.from_bytes(footer[12:16], "little") + 32
    return end
