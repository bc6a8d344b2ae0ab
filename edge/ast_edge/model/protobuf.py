"""The encoding of protobuf messages, as far as ONNX files need it."""

import mmap
from collections.abc import Iterator

Data = mmap.mmap | bytes | memoryview

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_IS_BYTES, _IS_FIXED = -1, -2
"""In the place of a field's value."""


def fields(data: Data, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of the fields of a message that hold bytes.

    Raises:
        ValueError, IndexError: if it is no message.
    """
    return ((n, at, stop) for n, _, at, stop, v in _walk(data, start, end) if v == _IS_BYTES)


def numbers(data: Data, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield number and value of the fields of a message that hold whole numbers, none negative.

    Raises:
        ValueError, IndexError: if it is no message.
    """
    return ((number, value) for number, _, _, _, value in _walk(data, start, end) if value >= 0)


def pieces(data: Data, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the number of each field, where it begins, where what it holds begins, and its end.

    Raises:
        ValueError, IndexError: if it is no message.
    """
    return ((n, begin, at, stop) for n, begin, at, stop, _ in _walk(data, start, end))


def parts(data: Data, start: int, end: int, *wanted: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of the fields with these numbers that hold bytes."""
    return ((at, stop) for n, at, stop in fields(data, start, end) if n in wanted)


def first_text(data: Data, start: int, end: int, wanted: int) -> str:
    """Return the first text of that number; empty if there is none."""
    return next((bytes(data[at:stop]).decode() for at, stop in parts(data, start, end, wanted)), "")


def wholes(data: Data, begin: int, at: int, stop: int) -> list[int]:
    """Return the numbers of a field that holds one, or several one after the other."""
    single = [value for _, value in numbers(data, begin, stop)]
    if single:
        return single
    packed, found = bytes(data[at:stop]), list[int]()
    value = shift = 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(value)
            value = shift = 0
    return found


def number(field: int, value: int) -> bytes:
    """Encode a field that holds a whole number; one below 0 takes ten bytes."""
    return _encoded(field << 3 | _VARINT) + _encoded(value & (1 << 64) - 1)


def text(field: int, value: str) -> bytes:
    """Encode a field that holds text."""
    return message(field, value.encode())


def message(field: int, content: bytes) -> bytes:
    """Encode a field that holds bytes, those of a message for instance."""
    return head(field, len(content)) + content


def head(field: int, size: int) -> bytes:
    """Encode what stands before the bytes of a field."""
    return _encoded(field << 3 | _BYTES) + _encoded(size)


def _encoded(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _walk(data: Data, start: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield number, start, start of the content and end of each field, and its value if any."""
    at = start
    while at < end:
        begin = at
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            first = at
            value, at = _varint(data, at)
            yield tag >> 3, begin, first, at, value
        elif kind in (_FIXED32, _FIXED64):
            first = at
            at += 4 if kind == _FIXED32 else 8
            yield tag >> 3, begin, first, at, _IS_FIXED
        elif kind == _BYTES:
            size, at = _varint(data, at)
            if at + size > end:
                raise ValueError(f"a field at byte {at} is longer than what holds it")
            yield tag >> 3, begin, at, at + size, _IS_BYTES
            at += size
        else:
            raise ValueError(f"unknown kind of field {kind} at byte {at}")
    if at > end:
        raise ValueError("it is cut off")


def _varint(data: Data, at: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(f"a number at byte {at} is too long")
