"""What an ONNX file says about other files, read without the `onnx` package.

Weights may lie outside of the graph's file, at a path that the file names. Only the few parts of
the protobuf messages that lead there are followed (onnx.proto, protobuf encoding).
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from ast_edge.base.errors import BundleError
from ast_edge.model.protobuf import fields

_Tree = dict[int, "_Tree | None"]

# Numbers of fields: TensorProto.external_data and StringStringEntryProto.key and value.
_EXTERNAL, _KEY, _VALUE = 13, 1, 2

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
    for number, at, stop in fields(data, start, end):
        if number not in tree:
            continue
        below = tree[number]
        if below is not None:
            yield from _locations(data, at, stop, below, depth - 1)
            continue
        entry = {key: data[a:b] for key, a, b in fields(data, at, stop)}
        if entry.get(_KEY) == b"location":
            yield entry.get(_VALUE, b"").decode(errors="replace")
