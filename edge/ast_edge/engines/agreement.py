"""Whether two engines say the same of real sound: recordings that come with ast-edge."""

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from ast_edge.base.errors import EngineError
from ast_edge.base.files import write_files
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Engine, Scores
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_edge.model.bundle import Bundle

log = logging.getLogger(__name__)

LIMITS = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 3e-2, "int8": 1e-1}
"""Largest difference in probability that a graph may show, per precision of its arithmetic."""
WINDOWS = 6
"""How many are compared, spread evenly over the recording."""


@dataclass(frozen=True)
class Agreement:
    """How far the answers of an engine are from those of a reference."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    reference: str
    windows: int
    largest: float | None
    """Largest difference in probability, of clips and steps; None if any is not a number."""
    limit: float

    @property
    def holds(self) -> bool:
        """Whether they say the same."""
        return self.largest is not None and self.largest <= self.limit

    def __str__(self) -> str:
        """Say it in a sentence without a subject."""
        sound = f"in {self.windows} windows of real sound"
        if self.largest is None:
            return f"gives what is no number {sound}"
        return (
            f"differs by {self.largest:.1e} at most from {self.reference} {sound} "
            f"({self.limit:.0e} is allowed)"
        )


def shipped_recording() -> Path:
    """Return the recording that comes with ast-edge: in the package, or in a checkout beside it."""
    package = Path(__file__).parents[1]
    installed = package / "recordings" / "home.ogg"
    return installed if installed.is_file() else package.parents[1] / "configs/demo/home.ogg"


def shipped_windows(spec: FbankSpec, frames: int) -> NDArray[np.float32]:
    """Return windows (n, frames, mels) of the recording that comes with ast-edge.

    Raises:
        EngineError: if it is not there, or cannot be read.
    """
    try:
        samples, rate = soundfile.read(shipped_recording(), dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as exc:
        raise EngineError(
            f"no recording to compare engines on: {exc}; install ast-edge again"
        ) from exc
    mono = soxr.resample(samples.mean(axis=1), rate, spec.sample_rate)
    columns = fbank(np.asarray(mono, np.float32), spec)
    if len(columns) < frames:
        columns = np.resize(columns, (frames, columns.shape[1]))
    starts = np.unique(np.linspace(0, len(columns) - frames, WINDOWS).astype(int))
    return np.stack([columns[start : start + frames] for start in starts])


def all_scores(engine: Engine, windows: NDArray[np.float32]) -> Scores:
    """Score windows one by one, so that no more memory is needed than for listening."""
    return joined([engine.run(windows[number : number + 1]) for number in range(len(windows))])


def joined(each: Sequence[Scores]) -> Scores:
    """Put scores of several batches together."""
    frames = [one.frame for one in each if one.frame is not None]
    clip = np.concatenate([one.clip for one in each])
    return Scores(clip, np.concatenate(frames) if frames else None)


def largest_difference(expected: Scores, found: Scores) -> float | None:
    """Return the largest difference in probability; None if any answer is no number."""
    away = [np.abs(found.clip - expected.clip).max()]
    if expected.frame is not None and found.frame is not None:
        away.append(np.abs(found.frame - expected.frame).max())
    return float(max(away)) if np.isfinite(away).all() else None


def compare(engine: Engine, bundle: Bundle, limit: float, most: int = WINDOWS) -> Agreement:
    """Compare an engine with ONNX Runtime on the processor, or without it with OpenVINO there.

    `most` windows are compared.

    Raises:
        EngineError: if neither can be used.
    """
    windows = shipped_windows(bundle.fbank, bundle.frames)[-most:]
    with closing(open_reference(bundle)) as reference:
        expected, name = all_scores(reference, windows), reference.description
    away = largest_difference(expected, all_scores(engine, windows))
    return Agreement(name, len(windows), away, limit)


def open_reference(bundle: Bundle) -> Engine:
    """Open what other engines are compared with.

    Raises:
        EngineError: if it cannot be used.
    """
    if find_spec("onnxruntime"):
        from ast_edge.engines.onnxruntime import OnnxRuntimeEngine

        return OnnxRuntimeEngine(bundle, EngineConfig())
    from ast_edge.engines.openvino import OpenVinoEngine

    return OpenVinoEngine(bundle, EngineConfig(precision="fp32"))


ADAPTER = TypeAdapter(Agreement)


def remembered(path: Path, measure: Callable[[], Agreement]) -> Agreement:
    """Return what was measured before, or measure and keep it.

    A file that is damaged or cannot be written costs another measurement and nothing else.
    """
    try:
        return ADAPTER.validate_json(path.read_bytes())
    except FileNotFoundError:
        pass
    except (OSError, ValidationError) as exc:
        log.debug("%s: measured again: %s", path, exc)
    found = measure()
    try:
        write_files({path: json.dumps(asdict(found), indent=1).encode() + b"\n"})
    except OSError as exc:
        log.warning("%s: cannot be written: %s; it is measured again at the next start", path, exc)
    return found
