"""What `config.json` and `preprocessor_config.json` of transformers say of a published AST."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ast_edge.base.errors import BundleError
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.ontology import load_ontology
from ast_edge.model.spec import ModelSpec

KIND = "audio-spectrogram-transformer"
ARCHITECTURE = "ASTForAudioClassification"
EXTRACTOR = "ASTFeatureExtractor"


@dataclass(frozen=True)
class Layout:
    """A published model: its network, its front end and its labels."""

    model: ModelSpec
    fbank: FbankSpec
    labels: tuple[tuple[str, str], ...]
    """Names and AudioSet's machine ids, where it knows a sound of that very name."""


def read_layout(config: Path, preprocessor: Path) -> Layout:
    """Read both files and see that they belong to an AST that ast-edge can feed.

    Raises:
        BundleError: if they do not, with what was expected.
    """
    said, extractor = _read(config), _read(preprocessor)
    _check_architecture(said)
    _check_extractor(extractor)
    names = _names(said)
    sizes = _Numbers(said, "config.json")
    front = _Numbers(extractor, "preprocessor_config.json")
    mel_bins, frames = sizes.whole("num_mel_bins", 128), sizes.whole("max_length", 1024)
    for key, value in (("num_mel_bins", mel_bins), ("max_length", frames)):
        if front.whole(key, value) != value:
            raise BundleError(
                f"preprocessor_config.json: {key} is {front.whole(key, value)}, but the model's "
                f"(config.json) is {value}: the two do not belong together"
            )
    normalises = extractor.get("do_normalize", True)
    patch = sizes.whole("patch_size", 16)
    try:
        model = ModelSpec(
            labels=len(names),
            frames=frames,
            mel_bins=mel_bins,
            width=sizes.whole("hidden_size", 768),
            depth=sizes.whole("num_hidden_layers", 12),
            heads=sizes.whole("num_attention_heads", 12),
            patch=(patch, patch),
            stride=(sizes.whole("frequency_stride", 10), sizes.whole("time_stride", 10)),
            # Inputs are divided by twice the deviation.
            mean=front.number("mean", ModelSpec.mean) if normalises else 0.0,
            std=front.number("std", ModelSpec.std) if normalises else 0.5,
            activation=(
                "softmax"
                if said.get("problem_type") == "single_label_classification"
                else "sigmoid"
            ),
        )
        fbank = replace(
            FbankSpec(), sample_rate=front.whole("sampling_rate", 16_000), mel_bins=mel_bins
        )
    except ValueError as exc:
        raise BundleError(f"config.json: the sizes are not those of an AST: {exc}") from exc
    mids = {node.name: node.mid for node in load_ontology().kinds.values()}
    return Layout(model, fbank, tuple((name, mids.get(name, "")) for name in names))


def read_licence(card: str) -> str:
    """Return the licence that the head of a model's README states; empty if it states none."""
    head = re.match(r"---\n(.*?)\n---", card.replace("\r\n", "\n"), re.DOTALL)
    found = head and re.search(r"^license:[ \t]*([\w.+-]{1,60})[ \t]*$", head[1], re.MULTILINE)
    return found[1] if found else ""


def _read(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_bytes())
        json.dumps(tree, ensure_ascii=False).encode()  # JSON can hold what could not be written
    except (OSError, ValueError, RecursionError) as exc:
        raise BundleError(f"{path.name}: cannot be read as JSON: {exc}") from exc
    if not isinstance(tree, dict):
        raise BundleError(f"{path.name}: expected an object, got {type(tree).__name__}")
    return tree


def _check_architecture(config: Mapping[str, Any]) -> None:
    kind, architectures = config.get("model_type"), config.get("architectures") or [ARCHITECTURE]
    if kind != KIND or not isinstance(architectures, list) or ARCHITECTURE not in architectures:
        raise BundleError(
            f"config.json: expected a classifier ({ARCHITECTURE}) of the kind {KIND}, got "
            f"{architectures!r:.60} of {kind!r:.60}: "
            "ast-edge runs Audio Spectrogram Transformers only"
        )


def _check_extractor(extractor: Mapping[str, Any]) -> None:
    kind = extractor.get("feature_extractor_type", EXTRACTOR)
    if kind != EXTRACTOR:
        raise BundleError(
            f"preprocessor_config.json: expected the front end {EXTRACTOR}, got {kind!r:.60}"
        )
    if type(extractor.get("do_normalize", True)) is not bool:
        raise BundleError("preprocessor_config.json: do_normalize: expected true or false")


def _names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the labels in the order of the outputs."""
    table = config.get("id2label")
    if not isinstance(table, dict) or not table:
        raise BundleError("config.json: expected the names of the labels (id2label), found none")
    names = tuple(table.get(str(index)) for index in range(len(table)))
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise BundleError(
                f"config.json: id2label: expected names for 0 to {len(table) - 1}, got "
                f"{name!r:.60} for {index}"
            )
    return tuple(map(str, names))


@dataclass(frozen=True)
class _Numbers:
    """Numbers of a file, or what transformers takes where they are left out."""

    tree: Mapping[str, Any]
    file: str

    def whole(self, key: str, default: int) -> int:
        value = self.tree.get(key, default)
        if type(value) is not int or not 0 < value < 1 << 20:
            raise BundleError(f"{self.file}: {key}: expected a whole number, got {value!r:.60}")
        return value

    def number(self, key: str, default: float) -> float:
        value = self.tree.get(key, default)
        if type(value) not in (int, float) or not abs(value) < 1e6:  # NaN included
            raise BundleError(f"{self.file}: {key}: expected a number, got {value!r:.60}")
        return float(value)
