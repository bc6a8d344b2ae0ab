"""The configuration of engines."""

from typing import Literal

from pydantic import Field, model_validator

from ast_edge.base.yaml_file import Section


class EngineConfig(Section):
    """What runs the model."""

    name: Literal["auto", "tensorrt", "openvino", "onnxruntime"] = "auto"
    threads: int = Field(default=0, ge=0)
    """CPU threads; 0 leaves the choice to the engine."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """Arithmetic of the engine. On a processor auto is bf16 where it has instructions for that; on
    a GPU fp16, if the scores stay what they are."""
    device: Literal["auto", "cpu", "gpu", "npu"] = "cpu"
    """What OpenVINO computes on; auto is an Intel GPU where there is one that gives the scores of
    the processor, else the processor."""

    @model_validator(mode="after")
    def _device_of_openvino(self) -> "EngineConfig":
        if self.device != "cpu" and self.name not in ("auto", "openvino"):
            raise ValueError(
                f"device: {self.device} is for OpenVINO (name: openvino); {self.name} finds an "
                "NVIDIA GPU by itself"
            )
        return self
