"""What an ONNX file says about other files, read without the `onnx` package.

Weights may lie outside of the graph's file, at a path that the file names. Only the few parts of
the protobuf messages that lead there are followed (onnx.proto, protobuf encoding).
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from ast_edge.base.errors import BundleError

_Tree = dict[int, "_Tree | None"]

# Numbers of fields: TensorProto.external_data and StringStringEntryProto.key and value.
_EXTERNAL, _KEY, _VALUE = 13, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_TENSOR: _Tree = {_EXTERNAL: None}
_SPARSE: _Tree = {1: _TENSOR, 2: _TENSOR}
_GRAPH: _Tree = {5: _TENSOR, 15: _SPARSE}
_ATTRIBUTE: _Tree = {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE}
_NODE: _Tree = {5: _ATTRIBUTE}
_GRAPH[1] = _NODE
_MODEL: _Tree = {7: _GRAPH, 20: {1: _GRAPH, 2: _GRAPH}, 25: {7: _NODE, 11: _ATTRIBUTE}}
"""Where tensors are: fields of ModelProto, and the fields of what is in them."""
_DEEPEST = 100
"""As in protobuf's own parsers."""


def external_files(path: Path) -> set[str]:
    """Return the names of all files that a graph takes weights from, as they stand there.

    Raises:
        BundleError: if it is no protobuf message.
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise BundleError(f"{path}: expected an ONNX graph, got an empty file")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                return set(_locations(content, 0, len(content), _MODEL, _DEEPEST))
            except (ValueError, IndexError) as exc:
                raise BundleError(f"{path}: expected an ONNX graph: {exc}") from exc


def _locations(data: mmap.mmap, start: int, end: int, tree: _Tree, depth: int) -> Iterator[str]:
    """Yield the locations in a message of which `tree` says where tensors are."""
    if depth == 0:
        raise ValueError("it is nested too deeply")
    for number, at, stop in _fields(data, start, end):
        if number not in tree:
            continue
        below = tree[number]
        if below is not None:
            yield from _locations(data, at, stop, below, depth - 1)
            continue
        entry = {key: data[a:b] for key, a, b in _fields(data, at, stop)}
        if entry.get(_KEY) == b"location":
            yield entry.get(_VALUE, b"").decode(errors="replace")


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of the fields of a message that hold bytes."""
    at = start
    while at < end:
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(data, at)
        elif kind in (_FIXED32, _FIXED64):
            at += 4 if kind == _FIXED32 else 8
        elif kind == _BYTES:
            size, at = _varint(data, at)
            if at + size > end:
                raise ValueError(f"a field at byte {at} is longer than what holds it")
            yield tag >> 3, at, at + size
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
