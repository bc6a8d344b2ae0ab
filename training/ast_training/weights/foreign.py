"""Weights of other projects as they lie on disk: one file, or a folder of Hugging Face."""

import hashlib
import json
import pickle
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ast_edge.base.errors import BundleError
from ast_edge.base.files import file_sha256
from ast_training.weights.layouts import to_ours

WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Of a Hugging Face folder, the preferred one first; an index says which file has which weight."""
_PART = re.compile(r"-\d+-of-\d+\.\w+$")
PICKLES = (".pth", ".pt", ".bin")
_DAMAGED = (
    # All that torch.load raises when the bytes of a file are cut or changed at random.
    *(OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(AssertionError, struct.error, pickle.UnpicklingError),
)


@dataclass(frozen=True, eq=False)
class ForeignModel:
    """Weights, and what their folder says about them."""

    file: Path
    """Where the weights lie, or the index of several files."""
    weights: dict[str, Tensor]
    """Float32, with our names; without a head if it is a DeiT."""
    config: dict[str, Any]
    """config.json of a Hugging Face folder; empty for a file."""
    preprocessor: dict[str, Any]
    """preprocessor_config.json, if there is one."""
    parts: tuple[Path, ...] = ()
    """The files of an index, in order."""

    def sha256(self) -> str:
        """Compute the sum of the weights' file; of several that of a list of sums and names."""
        if not self.parts:
            return file_sha256(self.file)
        lines = (f"{file_sha256(part)}  {part.name}\n" for part in self.parts)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def size(self, key: str, default: int) -> int:
        """Return a whole number from 1 that the folder states, or the default.

        Raises:
            BundleError: if what it states is none.
        """
        value = (self.preprocessor | self.config).get(key, default)
        if type(value) is not int or value < 1:
            raise BundleError(f"{self.file.parent}: expected {key} to be a size, got {value!r}")
        return value


def read_foreign(source: Path) -> ForeignModel:
    """Read a file with a state dict, or a Hugging Face folder, its weights in one file or several.

    Nothing is unpickled but tensors and plain values, so that no file can execute code.

    Raises:
        BundleError: if it is no such thing, is damaged, or holds another model than AST or DeiT.
    """
    config, preprocessor, file = {}, {}, source
    if not source.exists():
        raise BundleError(f"{source}: no such file or folder")
    if source.is_dir():
        file = _weight_file(source)
        config = _read_json(source / "config.json")
        if (source / "preprocessor_config.json").exists():
            preprocessor = _read_json(source / "preprocessor_config.json")
    parts = _parts(file) if file.name.endswith(".index.json") else ()
    tensors: dict[str, Tensor] = {}
    for part in parts or (file,):
        try:
            tensors |= read_tensors(part)
        except BundleError as exc:
            raise BundleError(f"{part}: {exc}") from exc
    try:
        weights = {name: value.float() for name, value in to_ours(tensors).items()}
    except BundleError as exc:
        hint = "; it is one part of several: name their folder" if _PART.search(file.name) else ""
        raise BundleError(f"{file}: {exc}{hint}") from exc
    return ForeignModel(file, weights, config, preprocessor, parts)


def _parts(index: Path) -> tuple[Path, ...]:
    """List the files of an index; all lie beside it."""
    names = _read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise BundleError(f"{index}: expected a weight_map that names files, got {names!r:.60}")
    parts = []
    for name in sorted({str(name) for name in names.values()}):
        if Path(name).name != name or not (index.parent / name).is_file():
            raise BundleError(
                f"{index}: names {name!r:.100}, which is not beside it; get all files again"
            )
        parts.append(index.parent / name)
    return tuple(parts)


def _weight_file(folder: Path) -> Path:
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    raise BundleError(
        f"{folder}: expected a Hugging Face folder with {' or '.join(WEIGHT_FILES)}, found none"
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise BundleError(f"{path}: cannot be read: {exc}") from exc
    if not isinstance(tree, dict):
        raise BundleError(f"{path}: expected a JSON object, got {type(tree).__name__}")
    return tree


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read a state dict by the suffix of its file, out of the `model` that DeiT wraps it in.

    Raises:
        BundleError: if it is no such thing, or damaged; without the name of the file.
    """
    if file.suffix == ".safetensors":
        try:
            return load_file(file)
        except (OSError, SafetensorError, ValueError) as exc:
            raise BundleError(f"is no readable safetensors file: {exc}; get it again") from exc
    if file.suffix not in PICKLES:
        kinds = ", ".join((*PICKLES, ".safetensors"))
        raise BundleError(f"expected weights in a file of {kinds} or a Hugging Face folder")
    try:
        tree = torch.load(file, map_location="cpu", weights_only=True)
    except _DAMAGED as exc:
        reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise BundleError(
            f"cannot be read as tensors alone: {reason:.120}; get it again if it is damaged, and "
            "if it holds more than a state dict, save that alone: the rest could execute code"
        ) from exc
    tree = tree.get("model", tree) if isinstance(tree, dict) else tree
    if not isinstance(tree, dict) or not all(isinstance(v, Tensor) for v in tree.values()):
        raise BundleError("expected a state dict (names and tensors), got something else")
    return {str(name): tensor for name, tensor in tree.items()}
