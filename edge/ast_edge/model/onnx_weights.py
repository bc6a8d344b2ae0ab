"""Weights of ONNX graphs, read and written without the `onnx` package."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.model import protobuf
from ast_edge.model.protobuf import first_text, parts, pieces, wholes

FLOAT, INT64, HALF = 1, 7, 10
"""Of TensorProto.DataType."""
_DTYPES = {FLOAT: "<f4", 2: "u1", 3: "i1", 6: "<i4", INT64: "<i8", HALF: "<f2"}

# Numbers of fields in onnx.proto.
_SHAPE, _TYPE, _FLOATS, _NAME, _RAW, _ELSEWHERE = 1, 2, 4, 8, 9, 13


@dataclass(frozen=True, eq=False)
class Weights:
    """A tensor of the file."""

    content: memoryview | bytes
    """A TensorProto."""
    folder: Path
    """Where the file lies that it may name instead of its values."""

    def renamed(self, name: str) -> "Weights":
        """Return the same values under another name."""
        rest = [
            bytes(self.content[begin:stop])
            for number, begin, _, stop in pieces(self.content, 0, len(self.content))
            if number != _NAME
        ]
        return Weights(b"".join([*rest, protobuf.text(_NAME, name)]), self.folder)

    def values(self) -> NDArray[np.generic]:
        """Return the values.

        Raises:
            ValueError: if they are of a kind that is not known here, or stored in another way.
            OSError: if they lie in another file that cannot be read.
        """
        shape, kind, raw = list[int](), 0, None
        for number, begin, at, stop in pieces(self.content, 0, len(self.content)):
            if number == _SHAPE:
                shape += wholes(self.content, begin, at, stop)
            elif number == _TYPE:
                kind = dict(protobuf.numbers(self.content, begin, stop))[_TYPE]
            elif number in (_RAW, _FLOATS):
                raw = self.content[at:stop]
        if kind not in _DTYPES:
            raise ValueError(f"weights of the unknown type {kind}")
        if raw is None:
            raw = self._elsewhere()
        found = np.frombuffer(raw, _DTYPES[kind])
        if found.size != int(np.prod(shape, dtype=np.int64)):
            raise ValueError(f"weights of shape {shape} with {found.size} values")
        return found.reshape(shape)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the values lie in another file."""
        return any(n == _ELSEWHERE for n, *_ in pieces(self.content, 0, len(self.content)))

    def _elsewhere(self) -> bytes:
        said = {
            first_text(self.content, at, stop, 1): first_text(self.content, at, stop, 2)
            for at, stop in parts(self.content, 0, len(self.content), _ELSEWHERE)
        }
        if "location" not in said:
            raise ValueError("weights that are stored in a way that is not read here")
        with (self.folder / said["location"]).open("rb") as file:
            file.seek(int(said.get("offset", "0")))
            return file.read(int(said["length"]) if "length" in said else -1)


def weights(name: str, values: NDArray[np.generic]) -> Weights:
    """Make a tensor of float32, float16 or int64."""
    kind = {"float32": FLOAT, "float16": HALF, "int64": INT64}[values.dtype.name]
    said = [protobuf.number(_SHAPE, size) for size in values.shape]
    said += [protobuf.number(_TYPE, kind), protobuf.text(_NAME, name)]
    said += [protobuf.message(_RAW, np.ascontiguousarray(values).tobytes())]
    return Weights(b"".join(said), Path())
