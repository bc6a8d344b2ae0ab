"""The configuration of engines."""

from typing import Literal

from pydantic import Field

from ast_edge.base.yaml_file import Section


class EngineConfig(Section):
    """What runs the model."""

    name: Literal["auto", "tensorrt", "openvino", "onnxruntime"] = "auto"
    threads: int = Field(default=0, ge=0)
    """CPU threads; 0 leaves the choice to the engine."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """Arithmetic of the engine. On a processor auto is bf16 where it has instructions for that;
    TensorRT always computes what the bundle was made with (fp32 or fp16)."""
