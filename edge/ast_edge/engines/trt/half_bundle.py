"""A bundle whose graph computes in float16, made of one in float32 and kept in the cache."""

import hashlib
import logging
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from ast_edge.base.errors import EngineError
from ast_edge.base.files import file_sha256, write_files
from ast_edge.engines.agreement import (
    LIMITS,
    all_scores,
    joined,
    largest_difference,
    open_reference,
    shipped_windows,
)
from ast_edge.engines.engine import Scores
from ast_edge.engines.graph_border import GraphBorder
from ast_edge.engines.trt.half_graph import (
    EXACT_CONVOLUTIONS,
    LARGEST,
    VERSION,
    HalfGraph,
    halve,
    with_ranges,
)
from ast_edge.model.bundle import Bundle
from ast_edge.model.onnx_graph import OnnxGraph, read_graph

log = logging.getLogger(__name__)

FORMAT: Literal[1] = 1
_RANGES = "ast-edge::ranges"


class HalfRefused(EngineError):
    """A bundle cannot be computed in float16; in float32 it can."""


class NothingToHalve(HalfRefused):
    """A bundle has nothing that would be faster in float16."""


@dataclass(frozen=True)
class HalfReport:
    """How near a float16 graph is to the float32 one it was made of, on real sound."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    format: Literal[1]
    version: int
    """Of the way it was made."""
    source: str
    """Sum of the float32 graph."""
    sha256: str
    """Of the float16 graph; empty if there is none."""
    windows: int
    range: float | None
    """Largest magnitude of all that is float16, computed in float32."""
    difference: float | None
    """Largest difference in probability on the processor, which may round less than a GPU does."""
    computed_by: str
    reason: str
    """Why there is none; empty if there is."""

    def __str__(self) -> str:
        """Say it in one line."""
        if self.reason:
            return self.reason
        return (
            f"{self.windows} windows of real sound: values up to {self.range:.3g} of "
            f"{LARGEST:.0f}, differs by {self.difference:.1e} at most from fp32 "
            f"({LIMITS['fp16']:.0e} is allowed; {self.computed_by})"
        )


ADAPTER = TypeAdapter(HalfReport)


def half_bundle(bundle: Bundle, cache: Path) -> tuple[Bundle, HalfReport]:
    """Return the bundle in float16, with the report on it; it is made if it is not in the cache.

    Raises:
        HalfRefused: if there is nothing to compute in float16, its numbers do not suffice, or the
            scores would be others; and if the cache cannot be written.
    """
    place = cache / f"half-{bundle.sha256[:16]}"
    report = _read(place, bundle)
    if report is None:
        try:
            report = _make(bundle, place)
        except OSError as exc:
            raise HalfRefused(f"{place}: cannot be written: {exc.strerror or exc}") from exc
    if report.reason:
        raise HalfRefused(f"{bundle.name!r} cannot be computed in fp16: {report.reason}")
    return replace(bundle, folder=place, precision="fp16", sha256=half_sha256(bundle)), report


def half_sha256(bundle: Bundle) -> str:
    """Return what names the float16 graph of a bundle, without making it."""
    return hashlib.sha256(f"{bundle.sha256} in float16, {VERSION}".encode()).hexdigest()


def _read(place: Path, bundle: Bundle) -> HalfReport | None:
    """Return the report of a graph that is there and whole; of one that cannot be, its own."""
    try:
        report = ADAPTER.validate_json((place / "report.json").read_bytes())
        if (report.version, report.source) != (VERSION, bundle.sha256):
            return None
        if report.reason or file_sha256(place / "model.onnx") == report.sha256:
            return report
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as exc:
        log.debug("%s: %s", place, exc)
    log.warning("%s: is damaged; it is made again", place)
    return None


def _make(bundle: Bundle, place: Path) -> HalfReport:
    try:
        graph = read_graph(bundle.onnx)
        half = halve(graph)
        if half is None:
            raise NothingToHalve(f"{bundle.name!r} has no matrix products but its head's")
        log.info("turning the graph of %r to fp16, and comparing it on real sound", bundle.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as scratch:
            report = _written(bundle, graph, half, Path(scratch))
            if report.reason and any(one.kind == "Conv" for one in graph.nodes):
                exact = halve(graph, EXACT_CONVOLUTIONS)
                if exact is not None:
                    log.info("once more, with its convolutions in fp32: %s", report.reason)
                    report = _written(bundle, graph, exact, Path(scratch))
            place.mkdir(exist_ok=True)
            if not report.reason:
                (Path(scratch) / "model.onnx").replace(place / "model.onnx")
            text = ADAPTER.dump_json(report, indent=1) + b"\n"
            write_files({place / "report.json": text})
    except (ValueError, IndexError) as exc:
        raise HalfRefused(f"{bundle.onnx}: cannot be turned to fp16: {exc}") from exc
    return report


def _written(bundle: Bundle, graph: OnnxGraph, half: HalfGraph, scratch: Path) -> HalfReport:
    """Write the graph in float16, and report on it."""
    half.graph.write(scratch / "model.onnx")
    return _judged(bundle, graph, half, scratch)


def _judged(bundle: Bundle, graph: OnnxGraph, half: HalfGraph, scratch: Path) -> HalfReport:
    """Report on the float16 graph in `scratch`."""
    found = list(_measure(bundle, graph, half.ranges, scratch / "ranges.onnx"))
    peak = float(np.max([peak for _, peak in found]))  # NaN, if any is
    report = HalfReport(FORMAT, VERSION, bundle.sha256, "", len(found), None, None, "", "")
    if not peak <= LARGEST:
        reason = f"values up to {peak:.3g} occur in it, and float16 ends at {LARGEST:.0f}"
        return replace(report, range=peak if np.isfinite(peak) else None, reason=reason)
    with closing(open_reference(replace(bundle, folder=scratch, precision="fp16"))) as engine:
        report = replace(report, range=peak, computed_by=engine.description)
        turned = all_scores(engine, shipped_windows(bundle.fbank, bundle.frames))
    away = largest_difference(joined([scores for scores, _ in found]), turned)
    report = replace(report, difference=away)
    if away is None or away > LIMITS["fp16"]:
        what = "what is no number" if away is None else f"probabilities that differ by {away:.2g}"
        return replace(report, reason=f"it gives {what}, and {LIMITS['fp16']:.0e} is allowed")
    return replace(report, sha256=file_sha256(scratch / "model.onnx"))


def _measure(
    bundle: Bundle, graph: OnnxGraph, names: tuple[str, ...], path: Path
) -> Iterator[tuple[Scores, float]]:
    """Score windows in float32, each with the largest magnitude of what is to be float16."""
    from ast_edge.engines.openvino import read_program, shared_core

    with_ranges(graph, names, _RANGES).write(path)
    border = GraphBorder(bundle)
    settings = {"NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    try:
        program = read_program(path, bundle, (*border.outputs, _RANGES))
        request = shared_core().compile_model(program, "CPU", settings).create_infer_request()
        for window in shipped_windows(bundle.fbank, bundle.frames):
            found = request.infer({border.input: border.feed(window[np.newaxis])})
            scores = border.scores([np.array(found[name]) for name in border.outputs])
            yield scores, float(found[_RANGES])
    except RuntimeError as exc:
        raise HalfRefused(
            f"{bundle.onnx}: its numbers cannot be looked at for fp16: "
            f"{str(exc).strip().splitlines()[-1]}"
        ) from exc
