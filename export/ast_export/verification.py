"""Whether an engine on this device says what the bundle's graph says; without PyTorch."""

from contextlib import closing

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ast_edge.base.errors import ConfigError
from ast_edge.engines.agreement import LIMITS
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.model.bundle import Bundle
from ast_export.parity import Parity, difference, engine_scores
from ast_export.recordings import Labelled

REFERENCE = "onnxruntime"


def verify(
    bundle: Bundle,
    config: EngineConfig,
    windows: NDArray[np.float32],
    labelled: Labelled | None = None,
) -> Parity:
    """Compare an engine with the reference on windows (n, frames, mels).

    Raises:
        EngineError: if the engine or the reference cannot be opened.
    """
    with closing(open_engine(bundle, config)) as engine:
        found = engine_scores(engine, windows)
    itself = engine.name == REFERENCE
    settings = {"name": "openvino", "precision": "fp32"} if itself else {"name": REFERENCE}
    with closing(open_engine(bundle, EngineConfig.model_validate(settings))) as reference:
        expected = engine_scores(reference, windows)
    limit = max(LIMITS[bundle.precision], LIMITS[engine.precision])
    return difference(engine, expected, found, limit, labelled)


def engine_config(name: str, precision: str) -> EngineConfig:
    """Make the setting of an engine.

    Raises:
        ConfigError: if there is no such engine or precision; names those there are.
    """
    try:
        return EngineConfig.model_validate({"name": name, "precision": precision})
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        raise ConfigError(f"{error['loc'][0]}: {error['msg']}, got {error['input']!r}") from exc
