"""The encoding of protobuf messages, as far as ONNX files need it."""

import mmap
from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of the fields of a message that hold bytes.

    Raises:
        ValueError, IndexError: if it is no message.
    """
    return ((number, at, stop) for number, at, stop, value in _walk(data, start, end) if value < 0)


def numbers(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield number and value of the fields of a message that hold whole numbers, none negative.

    Raises:
        ValueError, IndexError: if it is no message.
    """
    return ((number, value) for number, _, _, value in _walk(data, start, end) if value >= 0)


def _walk(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, start and end of each field, and its value or -1 where it holds bytes."""
    at = start
    while at < end:
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            first = at
            value, at = _varint(data, at)
            yield tag >> 3, first, at, value
        elif kind in (_FIXED32, _FIXED64):
            at += 4 if kind == _FIXED32 else 8
        elif kind == _BYTES:
            size, at = _varint(data, at)
            if at + size > end:
                raise ValueError(f"a field at byte {at} is longer than what holds it")
            yield tag >> 3, at, at + size, -1
            at += size
        else:
            raise ValueError(f"unknown kind of field {kind} at byte {at}")
    if at > end:
        raise ValueError("it is cut off")


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(f"a number at byte {at} is too long")
