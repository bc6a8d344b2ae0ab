"""A bundle of a benchmark in int8, as `ast-export onnx --precision int8` makes it."""

import shutil
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.files import file_sha256
from ast_edge.model.bundle import Bundle
from ast_export.quantization import quantize_products


def quantized(bundle: Bundle, windows: NDArray[np.float32]) -> Bundle:
    """Return the bundle in int8, in a folder inside its own; windows (n, frames, mels) are seen."""
    folder = bundle.folder / "int8"
    folder.mkdir()
    path = shutil.copy(bundle.onnx, folder / "model.onnx")
    quantize_products(path, windows)
    return replace(bundle, folder=folder, sha256=file_sha256(path), precision="int8")
