"""What runs a model: the protocol of engines, and the choice among them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ast_edge.bundle import Bundle
from ast_edge.config import EngineConfig
from ast_edge.errors import EngineError, EngineUnavailable
from ast_edge.fbank import LOG_FLOOR

log = logging.getLogger(__name__)

CLOSED = "the engine is closed; open it again"


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model says about a batch of windows."""

    clip: NDArray[np.float32]
    """(batch, labels) probabilities that the label sounds somewhere in the window."""


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
    clip = engine.run(batch).clip
    # Written so that NaN does not pass.
    if clip.shape != (2, len(bundle.labels)) or not ((clip >= 0) & (clip <= 1)).all():
        raise EngineError(
            f"{bundle.onnx}: expected probabilities (2, {len(bundle.labels)}), got "
            f"{clip.shape} from {clip.min()} to {clip.max()}; the bundle is not usable with this "
            "engine"
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
