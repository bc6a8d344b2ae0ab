"""The files of a published model, with a graph that needs neither torch nor transformers."""

import json
from typing import Any

from rigs.model import FRAMES, make_graph

LABELS = ("Speech", "Dog", "Siren", "Doorbell", "The neighbour's drum kit")
"""All but the last are AudioSet's."""
MEAN, STD = -5.0, 4.0


def files() -> dict[str, bytes]:
    """Return what is published: a graph, which is there in three precisions only by name."""
    graph = make_graph(name="input_values", output="scores", labels=len(LABELS), squash="Identity")
    content = bytes(graph.SerializeToString())
    graphs = {f"onnx/{name}.onnx": content for name in ("model", "model_fp16", "model_quantized")}
    config = {
        "max_length": FRAMES,
        "num_mel_bins": 128,
        "hidden_size": 32,
        "num_attention_heads": 2,
    }
    return graphs | described(config, FRAMES, 128)


def described(config: dict[str, Any], frames: int, mel_bins: int) -> dict[str, bytes]:
    """Return what belongs to a graph: configuration, front end and card."""
    said = config | {
        "model_type": "audio-spectrogram-transformer",
        "architectures": ["ASTForAudioClassification"],
        "id2label": {str(index): label for index, label in enumerate(LABELS)},
    }
    extractor = {
        "feature_extractor_type": "ASTFeatureExtractor",
        "do_normalize": True,
        "sampling_rate": 16000,
        "num_mel_bins": mel_bins,
        "max_length": frames,
        "mean": MEAN,
        "std": STD,
    }
    return {
        "config.json": json.dumps(said, default=str).encode(),
        "preprocessor_config.json": json.dumps(extractor).encode(),
        "README.md": b"---\nlicense: bsd-3-clause\n---\n# A model\n",
    }
