"""Whether a published graph is the network that its configuration says, and how it is fed."""

from typing import cast

from ast_edge.base.errors import BundleError
from ast_edge.hub.layout import Layout
from ast_edge.hub.outline import GraphOutline, Port
from ast_edge.model.graph_spec import GraphSpec, Number
from ast_edge.model.spec import ModelSpec

LOGITS = "logits"
"""What transformers calls the output; a graph may have others (hidden states), which are left."""
_ACTIVATIONS = {"Sigmoid": "sigmoid", "Softmax": "softmax"}


def fit_graph(outline: GraphOutline, layout: Layout, file: str) -> GraphSpec:
    """Return how the graph is fed and read.

    Raises:
        BundleError: if it needs operators of its own, or takes or gives something else.
    """
    if outline.strange:
        raise BundleError(
            f"{file}: needs operators that no engine here has: {', '.join(outline.strange[:3])}; "
            "choose another --precision, or an export of standard operators"
        )
    model = layout.model
    window = _input(outline, model, file)
    output = _output(outline, model, file)
    activation = _ACTIVATIONS.get(outline.makers[output.name])
    if activation not in (None, model.activation):
        raise BundleError(
            f"{file}: ends in a {activation}, but config.json is that of a {model.activation}"
        )
    return GraphSpec(
        input=window.name,
        clip=output.name,
        takes=cast(Number, window.kind),
        normalises=False,
        activates=activation is not None,
    )


def _input(outline: GraphOutline, model: ModelSpec, file: str) -> Port:
    expected = f"one input (any, {model.frames}, {model.mel_bins}) float32 or float16"
    if len(outline.inputs) != 1:
        got = ", ".join(map(str, outline.inputs)) or "none"
        raise BundleError(f"{file}: expected {expected}, got {got:.300}")
    (port,) = outline.inputs
    if port.kind == "other" or not _matches(port, (model.frames, model.mel_bins)):
        raise BundleError(f"{file}: expected {expected}, got {port}")
    _check_batch(port, file)
    return port


def _output(outline: GraphOutline, model: ModelSpec, file: str) -> Port:
    ports = [port for port in outline.outputs if port.name == LOGITS] or list(outline.outputs)
    expected = f"one output {LOGITS} (any, {model.labels})"
    if len(ports) != 1 or ports[0].kind == "other" or not _matches(ports[0], (model.labels,)):
        got = ", ".join(map(str, ports)) or "none"
        raise BundleError(f"{file}: expected {expected}, got {got:.300}")
    _check_batch(ports[0], file)
    return ports[0]


def _matches(port: Port, sizes: tuple[int, ...]) -> bool:
    """Tell whether a port can have these sizes behind the batch."""
    if port.shape is None:
        return True
    return len(port.shape) == 1 + len(sizes) and all(
        found in (None, size) for found, size in zip(port.shape[1:], sizes, strict=True)
    )


def _check_batch(port: Port, file: str) -> None:
    if port.shape is not None and port.shape[0] is not None:
        raise BundleError(
            f"{file}: {port}: takes {port.shape[0]} windows at a time, expected any number; export "
            "it with a free batch"
        )
