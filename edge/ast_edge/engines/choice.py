"""The choice among engines."""

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import EngineError, EngineUnavailable
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Engine
from ast_edge.frontend.fbank import LOG_FLOOR
from ast_edge.model.bundle import Bundle

log = logging.getLogger(__name__)


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
    for name, shape in bundle.scores.items():
        found: NDArray[np.float32] | None = getattr(scores, name)
        # Written so that NaN does not pass.
        if found is None or found.shape != (2, *shape) or not ((found >= 0) & (found <= 1)).all():
            what = "none" if found is None else str(found.shape)
            if found is not None and found.size:
                what += f" from {found.min()} to {found.max()}"
            raise EngineError(
                f"{bundle.onnx}: expected probabilities {name} {(2, *shape)}, got {what}; the "
                "bundle is not usable with this engine"
            )


def _tensorrt(bundle: Bundle, config: EngineConfig) -> Engine:
    from ast_edge.engines.tensorrt import TensorRTEngine

    return TensorRTEngine(bundle, config)


def _openvino(bundle: Bundle, config: EngineConfig) -> Engine:
    from ast_edge.engines.openvino import OpenVinoEngine

    return OpenVinoEngine(bundle, config)


def _onnxruntime(bundle: Bundle, config: EngineConfig) -> Engine:
    from ast_edge.engines.onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(bundle, config)


Maker = Callable[[Bundle, EngineConfig], Engine]

ENGINES: dict[str, Maker] = {
    "tensorrt": _tensorrt,
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
}
"""In the order in which `auto` tries them."""
