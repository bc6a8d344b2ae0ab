"""The network that foreign weights belong to, as far as they and their folder tell."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch

from ast_edge.base.errors import BundleError
from ast_edge.model.spec import Activation, ModelSpec
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.weights.foreign import ForeignModel

FRAMES, STRIDES = (1024, 512, 128), (10, 12, 14, 16)
"""Windows and strides of the published models; no two of their grids have as many patches."""
HEAD_WIDTH = 64
"""In every published model, of any size."""
AUDIOSET = (-4.2677393, 4.5689974)
STATISTICS = {50: (-6.6268077, 5.358466), 35: (-6.845978, 5.5654526)}
"""Number of labels -> mean and standard deviation, of ESC-50 and Speech Commands."""


def foreign_spec(
    foreign: ForeignModel,
    *,
    frames: int | None = None,
    stride: int | None = None,
    activation: Activation | None = None,
) -> ModelSpec:
    """Infer the network from the shapes of its weights and a Hugging Face configuration.

    The window and the stride are those given here, else those of the configuration, else the
    published ones that have as many patches. Without `activation` a model of 50 labels (ESC-50) or
    one that Hugging Face calls single-label has a softmax, every other one a sigmoid.

    Raises:
        BundleError: if the weights are not those of an AST, or the window cannot be told.
    """
    config, shapes = foreign.config, {k: tuple(v.shape) for k, v in foreign.weights.items()}
    if "mlp_head.1.bias" not in shapes:
        raise BundleError(f"{foreign.file}: expected an AST, got a DeiT, which has no head")
    if config.get("hidden_act", "gelu") != "gelu":
        raise BundleError(f"{foreign.file}: expected GELU, got {config['hidden_act']!r}")
    mel_bins = foreign.size("num_mel_bins", 128)
    try:
        _, _, *patch = shapes["v.patch_embed.proj.weight"]
        _, _, width = shapes["v.pos_embed"]
        (labels,) = shapes["mlp_head.1.bias"]
        window = _window(foreign, mel_bins, frames, stride)
        spec = ModelSpec(
            labels=labels,
            frames=window[0],
            mel_bins=mel_bins,
            width=width,
            depth=sum(name.endswith(".norm1.weight") for name in shapes),
            heads=foreign.size("num_attention_heads", max(1, width // HEAD_WIDTH)),
            patch=(patch[0], patch[1]),
            stride=window[1],
            mean=_statistic(foreign, labels, "mean"),
            std=_statistic(foreign, labels, "std"),
            activation=activation or _activation(config, labels),
        )
    except (ValueError, IndexError) as exc:
        raise BundleError(f"{foreign.file}: the shapes are not those of an AST: {exc}") from exc
    check_shapes(foreign, spec)
    return spec


def check_shapes(foreign: ForeignModel, spec: ModelSpec) -> None:
    """Compare every weight with the one of that name in our model; a DeiT has no head.

    Raises:
        BundleError: if one has another shape.
    """
    with torch.device("meta"):
        expected = AudioSpectrogramTransformer(spec).state_dict()
    for name, value in foreign.weights.items():
        if name in expected and value.shape != expected[name].shape:
            raise BundleError(
                f"{foreign.file}: {name}: expected the shape {tuple(expected[name].shape)}, "
                f"got {tuple(value.shape)}"
            )


def _window(
    foreign: ForeignModel, mel_bins: int, frames: int | None, stride: int | None
) -> tuple[int, tuple[int, int]]:
    """Find the one window in frames, with its stride, that has as many patches as the weights."""
    windows: Sequence[int] = FRAMES
    strides: Sequence[tuple[int, int]] = [(step, step) for step in STRIDES]
    if frames or "max_length" in foreign.config:
        windows = [frames or foreign.size("max_length", 0)]
    if stride:
        strides = [(stride, stride)]
    elif {"frequency_stride", "time_stride"} <= foreign.config.keys():
        strides = [(foreign.size("frequency_stride", 0), foreign.size("time_stride", 0))]
    patches = foreign.weights["v.pos_embed"].shape[1] - 2
    _, _, height, width = foreign.weights["v.patch_embed.proj.weight"].shape
    found = [
        (length, (down, along))
        for length, (down, along) in product(windows, strides)
        if mel_bins >= height
        and length >= width
        and ((mel_bins - height) // down + 1) * ((length - width) // along + 1) == patches
    ]
    if len(found) != 1:
        raise BundleError(
            f"{foreign.file}: {patches} patches fit {len(found) or 'none'} of the windows "
            f"{', '.join(map(str, windows))} with the strides "
            f"{', '.join(f'{down} by {along}' for down, along in strides)}; "
            "state --frames and --stride"
        )
    return found[0]


def _statistic(foreign: ForeignModel, labels: int, name: str) -> float:
    """Take the mean or standard deviation of a Hugging Face folder, or of a published data set."""
    if not foreign.preprocessor.get("do_normalize", True):
        return 0.0 if name == "mean" else 0.5  # inputs are divided by twice the deviation
    known = STATISTICS.get(labels, AUDIOSET)[name == "std"]
    value = foreign.preprocessor.get(name, known)
    if type(value) not in (int, float):
        raise BundleError(
            f"{foreign.file.parent}: preprocessor_config.json: {name} is {value!r}, no number"
        )
    return float(value)


def _activation(config: dict[str, Any], labels: int) -> Activation:
    if (kind := config.get("problem_type")) is not None:
        return "softmax" if kind == "single_label_classification" else "sigmoid"
    return "softmax" if labels == 50 else "sigmoid"
