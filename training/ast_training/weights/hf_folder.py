"""Checkpoints as folders that Hugging Face's transformers loads."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file

from ast_edge.base.errors import BundleError
from ast_edge.frontend.fbank import FbankSpec
from ast_training.base.errors import TrainingError
from ast_training.model.checkpoint import Checkpoint
from ast_training.weights.layouts import from_ours


def write_hf_folder(checkpoint: Checkpoint, out: Path) -> None:
    """Write the model, its configuration and its front end, completely or not at all.

    `ASTForAudioClassification` and `ASTFeatureExtractor` of transformers 4 and 5 load the folder.
    There the feature extractor normalises its output, while ours is part of the model; it pads
    short recordings with zeros, as `fit_length` does. One thing cannot be said: transformers has
    one epsilon for all layer norms. It gets that of the blocks, 1e-6; the head's own is 1e-5.

    Raises:
        BundleError: if transformers cannot express the model, or its weights do not fit it.
        TrainingError: if the folder exists and is not empty, or cannot be written.
    """
    _check_expressible(checkpoint)
    checkpoint.build()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise TrainingError(f"{out}: expected a new or an empty folder; choose another")
    parts = from_ours(checkpoint.weights, "hub")
    tensors = {name: part.contiguous() for name, part in parts.items()}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
            folder = Path(scratch) / "folder"
            folder.mkdir()
            save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
            _write_json(folder / "config.json", _config(checkpoint))
            _write_json(folder / "preprocessor_config.json", _preprocessor(checkpoint))
            folder.replace(out)
    except (OSError, SafetensorError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise TrainingError(f"{out}: cannot be written: {reason}") from exc


def _check_expressible(checkpoint: Checkpoint) -> None:
    height, width = checkpoint.model.patch
    if height != width:
        raise BundleError(
            f"transformers knows square patches only, the model's are {height} by {width}"
        )
    front_end = checkpoint.fbank
    known = replace(FbankSpec(), sample_rate=front_end.sample_rate, mel_bins=front_end.mel_bins)
    if front_end != known:
        raise BundleError(
            f"transformers knows only the front end {known}, the model's is {front_end}"
        )


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    model = checkpoint.model
    single = model.activation == "softmax"
    return {
        "architectures": ["ASTForAudioClassification"],
        "model_type": "audio-spectrogram-transformer",
        "problem_type": f"{'single' if single else 'multi'}_label_classification",
        "id2label": {str(label.index): label.name for label in checkpoint.labels},
        "label2id": {label.name: label.index for label in checkpoint.labels},
        "max_length": model.frames,
        "num_mel_bins": model.mel_bins,
        "patch_size": model.patch[0],
        "frequency_stride": model.stride[0],
        "time_stride": model.stride[1],
        "hidden_size": model.width,
        "num_hidden_layers": model.depth,
        "num_attention_heads": model.heads,
        "intermediate_size": 4 * model.width,
        "hidden_act": "gelu",
        "qkv_bias": True,
        "layer_norm_eps": 1e-6,
        "torch_dtype": "float32",
    }


def _preprocessor(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "feature_extractor_type": "ASTFeatureExtractor",
        "feature_size": 1,
        "sampling_rate": checkpoint.fbank.sample_rate,
        "num_mel_bins": checkpoint.model.mel_bins,
        "max_length": checkpoint.model.frames,
        "do_normalize": True,
        "mean": checkpoint.model.mean,
        "std": checkpoint.model.std,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }


def _write_json(path: Path, tree: dict[str, Any]) -> None:
    path.write_text(json.dumps(tree, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
