"""What runs a model: the protocol of engines, and the choice among them."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ast_edge.bundle import Bundle
from ast_edge.config import EngineConfig
from ast_edge.errors import EngineError, EngineUnavailable
from ast_edge.fbank import LOG_FLOOR

log = logging.getLogger(__name__)

WindowScores = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Of one window: its probabilities (labels,), and those of its steps (steps, labels) if any."""

ROUNDING = 0.01
"""By so much a probability may be beyond 0 or 1."""

CLOSED = "the engine is closed; open it again"


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model says about a batch of windows."""

    clip: NDArray[np.float32]
    """(batch, labels) probabilities that the label sounds somewhere in the window."""
    frame: NDArray[np.float32] | None = None
    """(batch, steps, labels) probabilities that it sounds in each step; None if the bundle has no
    frame scores."""

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """(batch,) whether all that is said of a window are probabilities."""
        usable = _are_probabilities(self.clip)
        return usable if self.frame is None else usable & _are_probabilities(self.frame)

    def each(self) -> Iterator[WindowScores]:
        """Yield those of one window after the other; in one that is not usable nothing is heard."""
        for row, usable in enumerate(self.usable):
            clip, frame = self.clip[row], None if self.frame is None else self.frame[row]
            if usable:
                yield clip, frame
            else:
                yield np.zeros_like(clip), None if frame is None else np.zeros_like(frame)


def _are_probabilities(scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Judge each row."""
    rows = scores.reshape(len(scores), -1)
    # Written so that NaN does not pass; an average in half precision may be a little above 1.
    found: NDArray[np.bool_] = np.all((rows >= -ROUNDING) & (rows <= 1 + ROUNDING), axis=1)
    return found


class Engine(Protocol):
    """A loaded model; any thread may call `run`."""

    name: str
    """As in the configuration."""
    description: str
    """One line for people: library, version, precision, threads."""
    precision: str
    """Of its arithmetic: fp32, fp16 or bf16."""

    def run(self, fbank: NDArray[np.float32]) -> Scores:
        """Score windows (batch, frames, mel_bins), any batch size from 1.

        Raises:
            EngineError: for windows of another shape, or when it is closed.
        """
        ...

    def close(self) -> None:
        """Free memory and device; twice is the same as once."""
        ...


def open_engine(bundle: Bundle, config: EngineConfig) -> Engine:
    """Open the configured engine, or with `auto` the first that works; and run it once.

    Raises:
        EngineError: if none works, with the reason for each.
    """
    wanted = ENGINES if config.name == "auto" else {config.name: ENGINES[config.name]}
    absent, reasons = list[str](), list[str]()
    for name, make in wanted.items():
        try:
            engine = _open(make, bundle, config)
        except EngineUnavailable as exc:  # nothing that the user could do about it
            absent.append(f"{name}: {exc}")
            log.debug("engine %s", absent[-1])
        except ImportError as exc:
            reasons.append(f"{name}: cannot be imported: {exc} (pip install {name})")
        except EngineError as exc:
            reasons.append(f"{name}: {exc}")
        else:
            for reason in reasons:
                log.warning("engine %s", reason)
            log.info("engine %s", engine.description)
            return engine
    raise EngineError("; ".join(absent + reasons))


def _open(make: "Maker", bundle: Bundle, config: EngineConfig) -> Engine:
    engine = make(bundle, config)
    try:
        check_fit(engine, bundle)
    except EngineError:
        engine.close()
        raise
    return engine


def check_fit(engine: Engine, bundle: Bundle) -> None:
    """Run two silent windows: the graph must take and give what the bundle says."""
    batch = np.full((2, bundle.frames, bundle.fbank.mel_bins), LOG_FLOOR, np.float32)
    scores = engine.run(batch)
    for name, shape in bundle.outputs.items():
        found: NDArray[np.float32] | None = getattr(scores, name)
        # Written so that NaN does not pass.
        if found is None or found.shape != (2, *shape) or not ((found >= 0) & (found <= 1)).all():
            what = "none" if found is None else f"{found.shape} from {found.min()} to {found.max()}"
            raise EngineError(
                f"{bundle.onnx}: expected probabilities {name} {(2, *shape)}, got {what}; the "
                "bundle is not usable with this engine"
            )


def _tensorrt(bundle: Bundle, config: EngineConfig) -> Engine:
    from ast_edge.tensorrt_engine import TensorRTEngine

    return TensorRTEngine(bundle, config)


def _openvino(bundle: Bundle, config: EngineConfig) -> Engine:
    from ast_edge.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(bundle, config)


def _onnxruntime(bundle: Bundle, config: EngineConfig) -> Engine:
    from ast_edge.onnxruntime_engine import OnnxRuntimeEngine

    return OnnxRuntimeEngine(bundle, config)


Maker = Callable[[Bundle, EngineConfig], Engine]

ENGINES: dict[str, Maker] = {
    "tensorrt": _tensorrt,
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
}
"""In the order in which `auto` tries them."""
