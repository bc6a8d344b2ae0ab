"""The graph of a bundle as TensorRT reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt.engine_card import Tensor
from ast_edge.engines.trt.library import Handle, Library

DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BF16": "bfloat16",
    "INT32": "int32",
    "INT64": "int64",
}
"""TensorRT's names of what the inputs and outputs of a graph may be."""


@dataclass(frozen=True)
class Network:
    """A graph whose types are kept: what is float16 in it is computed in float16."""

    definition: Handle
    parser: Handle
    """Owns the weights; they must last until the engine is built."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def window(self) -> tuple[int, ...]:
        """Shape of one input: (frames, mels)."""
        return self.inputs[0].shape[1:]


def read_network(
    library: Library, builder: Handle, onnx: Path, names: Mapping[str, str] = MappingProxyType({})
) -> Network:
    """Read a graph, with its weights in files beside it if that is where they are.

    Args:
        library: TensorRT.
        builder: its builder.
        onnx: the graph.
        names: what it calls its input and output -> what the engine is to call them.

    Raises:
        EngineError: if it is damaged, or is not the graph of a bundle.
    """
    trt = library.module
    # From TensorRT 11 on there is no other kind of network.
    strongly = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    definition = builder.create_network(0 if strongly is None else 1 << int(strongly))
    parser = trt.OnnxParser(definition, library.messages.logger)
    if not parser.parse_from_file(str(onnx)):
        reasons = [parser.get_error(number).desc() for number in range(parser.num_errors)]
        reason = " ".join(next(iter(reasons), "no reason was given").split())
        raise EngineError(f"{onnx}: {library.title} cannot read the graph: {reason}")
    inputs = [definition.get_input(i) for i in range(definition.num_inputs)]
    outputs = [definition.get_output(i) for i in range(definition.num_outputs)]
    for tensor in (*inputs, *outputs):
        if names.get(tensor.name, tensor.name) != tensor.name:
            tensor.name = names[tensor.name]
    network = Network(definition, parser, tuple(map(_tensor, inputs)), tuple(map(_tensor, outputs)))
    _check(network, onnx)
    return network


def _tensor(tensor: Handle) -> Tensor:
    kind = tensor.dtype.name
    return Tensor(tensor.name, DTYPES.get(kind, kind.lower()), tuple(map(int, tensor.shape)))


def _check(network: Network, onnx: Path) -> None:
    """Compare with what a bundle has; a file that is no graph at all is read as an empty one."""
    inputs = [tensor for tensor in network.inputs if _is_batch(tensor, "fbank", 3)]
    clips = [tensor for tensor in network.outputs if _is_batch(tensor, "clip", 2)]
    if len(network.inputs) != 1 or not inputs or not clips:
        found = ", ".join(f"{t.name} {t.shape}" for t in (*network.inputs, *network.outputs))
        raise EngineError(
            f"{onnx}: is not the graph of a bundle: expected the input fbank (-1, frames, mels) "
            f"and the output clip (-1, labels), got {found or 'an empty graph'}"
        )


def _is_batch(tensor: Tensor, name: str, dimensions: int) -> bool:
    """Whether it is the tensor of that name, and of its dimensions only the first is free."""
    return (
        tensor.name == name
        and len(tensor.shape) == dimensions
        and tensor.shape[0] == -1
        and min(tensor.shape[1:]) > 0
    )
