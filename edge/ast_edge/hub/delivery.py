"""From where a model lies to an installed bundle."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from ast_edge.base.errors import BundleError, ConfigError
from ast_edge.base.files import file_sha256
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.hub.description import describe, write_card
from ast_edge.hub.errors import MissingError, StorageError
from ast_edge.hub.files import LocalFile, ModelFiles
from ast_edge.hub.frame_curve import NoCurve, add_curve
from ast_edge.hub.graph_fit import fit_graph
from ast_edge.hub.known import KNOWN, KnownModel
from ast_edge.hub.layout import Layout, read_layout, read_licence
from ast_edge.hub.outline import GraphOutline, read_outline
from ast_edge.hub.published import (
    CARD,
    DESCRIPTION,
    LARGEST_GRAPH,
    LARGEST_TEXT,
    fetch_card,
    fetch_description,
    fetch_parts,
    is_plain,
)
from ast_edge.hub.shelf import check_name, new_bundle, take_in
from ast_edge.model.bundle import Bundle, Precision, load_bundle
from ast_edge.model.bundle_files import BANK_FILE
from ast_edge.model.graph_spec import GraphSpec
from ast_edge.model.installed import installed_bundles
from ast_edge.model.onnx_file import external_files
from ast_edge.model.onnx_graph import read_graph
from ast_edge.model.own_labels import HEADS_FILE

log = logging.getLogger(__name__)

GRAPHS: dict[Precision, tuple[str, ...]] = {
    "fp32": ("onnx/model.onnx", "model.onnx"),
    "fp16": ("onnx/model_fp16.onnx", "model_fp16.onnx"),
    "int8": ("onnx/model_quantized.onnx", "onnx/model_int8.onnx", "model_quantized.onnx"),
}
"""Where exports for browsers, and those of optimum, have their graphs."""


@dataclass(frozen=True)
class Delivery:
    """A bundle that has been installed, and how its graph is known to be whole."""

    bundle: Bundle
    graph: LocalFile


@dataclass(frozen=True)
class Wish:
    """What is to be fetched, and what it is to be called."""

    name: str
    precision: Precision = "fp32"
    sha256: str = ""
    """Of the graph, if the user knows it."""
    frame_curve: bool = False
    """Scores of every step as well, where the graph allows it."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.sha256 and (len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef")):
            raise ConfigError(f"--sha256: expected 64 hexadecimal digits, got {self.sha256!r:.80}")


def deliver(files: ModelFiles, wish: Wish, engine: EngineConfig) -> Delivery:
    """Fetch a model of transformers, or a bundle of ours, and install it as a bundle.

    It is installed only after an engine here has scored silence with it.

    Raises:
        HubError: if a file cannot be fetched.
        BundleError: if it is damaged, or is no AST that ast-edge can feed.
        EngineError: if no engine here runs it, or its scores are no probabilities.
        StorageError: if it cannot be written.
    """
    try:
        config = files.fetch("config.json", LARGEST_TEXT)
    except MissingError:
        return _copy_bundle(files, wish, engine)
    layout = read_layout(config.path, _preprocessor(files, config).path)
    known = _known(files)
    graph, path = _graph(files, wish, known)
    parts = {"model.onnx": graph} | _beside(files, graph.path, path)
    outline = read_outline(graph.path)
    spec = fit_graph(outline, layout, path)
    with _maybe_curved(graph, outline, layout, spec, wanted=wish.frame_curve) as curved:
        taken = {"model.onnx": curved} if curved else parts
        tree = describe(
            wish.name,
            layout,
            spec,
            wish.precision,
            taken,
            origin=f"{files.origin.title}, {path}",
            licence=known.licence if known else _licence(files),
            quality=known.quality if known else {},
            curve_of=graph.sha256 if curved else "",
        )
        delivery = _install(files, wish, engine, tree, taken, write_card(tree))
    return Delivery(delivery.bundle, graph)


@contextmanager
def _maybe_curved(
    graph: LocalFile, outline: GraphOutline, layout: Layout, spec: GraphSpec, *, wanted: bool
) -> Iterator[LocalFile | None]:
    """Give a graph that scores every step as well; None, and a line in the log, if it cannot be."""
    if not wanted:
        yield None
        return
    with TemporaryDirectory() as scratch:
        path, curved = Path(scratch) / "model.onnx", None
        try:
            clip = next(port for port in outline.outputs if port.name == spec.clip)
            add_curve(read_graph(graph.path), layout.model, clip).write(path)
            curved = LocalFile(path, file_sha256(path), graph.checked)
        except (NoCurve, ValueError, IndexError) as exc:
            log.warning("no --frame-curve: %s; it scores whole windows only", exc)
        except OSError as exc:
            raise StorageError(f"{path}: cannot be written: {exc.strerror}") from exc
        yield curved


def _known(files: ModelFiles) -> KnownModel | None:
    """Return what is known of exactly this revision of a repository."""
    here = (files.origin.place, files.origin.revision)
    return next((m for m in KNOWN.values() if (m.repository, m.revision) == here), None)


def _preprocessor(files: ModelFiles, config: LocalFile) -> LocalFile:
    try:
        return files.fetch("preprocessor_config.json", LARGEST_TEXT)
    except MissingError as exc:
        raise BundleError(
            f"{files.origin.title}: has no preprocessor_config.json, which says how its input is "
            f"normalised; expected it beside {config.path.name}"
        ) from exc


def _graph(files: ModelFiles, wish: Wish, known: KnownModel | None) -> tuple[LocalFile, str]:
    sha256 = wish.sha256 or (known.sha256.get(wish.precision, "") if known else "")
    for path in GRAPHS[wish.precision]:
        try:
            return files.fetch(path, LARGEST_GRAPH, sha256), path
        except MissingError:
            continue
    raise BundleError(
        f"{files.origin.title}: has no graph in {wish.precision}: expected "
        f"{' or '.join(GRAPHS[wish.precision])}; try another --precision, or "
        "export it to ONNX first"
    )


def _beside(files: ModelFiles, graph: Path, path: str) -> dict[str, LocalFile]:
    """Fetch the files that a large graph takes its weights from."""
    found = {}
    for name in sorted(external_files(graph)):
        if not is_plain(name):
            raise BundleError(
                f"{path}: takes weights from {name!r:.100}, which lies outside of its folder"
            )
        if name in ("model.onnx", DESCRIPTION, CARD, BANK_FILE, HEADS_FILE):
            raise BundleError(f"{path}: takes weights from {name!r}, which is another file")
        try:
            found[name] = files.fetch(str(PurePosixPath(path).with_name(name)), 4 * LARGEST_GRAPH)
        except MissingError as exc:
            raise BundleError(f"{path}: takes weights from {name!r:.100}: {exc}") from exc
    return found


def _licence(files: ModelFiles) -> str:
    unknown = f"not stated; see {files.origin.title}"
    try:
        card = files.fetch("README.md", LARGEST_TEXT).path.read_text("utf-8", errors="replace")
    except (MissingError, OSError):
        return unknown
    return read_licence(card) or unknown


def _copy_bundle(files: ModelFiles, wish: Wish, engine: EngineConfig) -> Delivery:
    """Install a bundle of ours as it is, but for its name."""
    if wish.frame_curve:
        log.warning("no --frame-curve: this is a bundle already, and stays what it is")
    try:
        description = fetch_description(files)
    except MissingError as exc:
        raise BundleError(
            f"{files.origin.title}: expected a config.json (a model of transformers) or a "
            f"{DESCRIPTION} (a bundle of ast-edge), found neither"
        ) from exc
    parts = fetch_parts(files, description)
    card = fetch_card(files)
    return _install(files, wish, engine, description.tree | {"name": wish.name}, parts, card)


def _install(
    files: ModelFiles,
    wish: Wish,
    engine: EngineConfig,
    tree: dict[str, Any],
    parts: dict[str, LocalFile],
    card: str,
) -> Delivery:
    """Write the bundle, try it, and put it in its place."""
    with new_bundle(wish.name) as folder:
        paths = {name: part.path for name, part in parts.items()}
        take_in(folder, paths, link=files.origin.kind != "folder")
        text = json.dumps(tree, indent=1, ensure_ascii=False) + "\n"
        (folder / DESCRIPTION).write_text(text, encoding="utf-8")
        if card:
            (folder / CARD).write_text(card, encoding="utf-8")
        open_engine(load_bundle(folder), engine).close()
    bundle = load_bundle(installed_bundles()[wish.name], sums=False)
    return Delivery(bundle, parts["model.onnx"])
