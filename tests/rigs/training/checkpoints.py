"""Small checkpoints with random weights."""

import torch

from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.label import Label
from ast_edge.model.spec import ModelSpec
from ast_training.model.checkpoint import Checkpoint
from ast_training.model.network import AudioSpectrogramTransformer

LABELS = (Label(0, "Whistle", "/m/0k5j"), Label(1, "Hum", "/m/01swy6"), Label(2, "Hiss", ""))


def random_checkpoint(*, frame_head: bool = False, **changes: object) -> Checkpoint:
    """Two blocks of width 64 that hear three labels in windows of 64 frames; not trained.

    With a frame head it scores four steps.
    """
    spec = ModelSpec(
        labels=len(LABELS),
        frames=64,
        width=64,
        depth=2,
        heads=1,
        stride=(16, 16),
        mean=-7.0,
        std=5.0,
        frame_head=frame_head,
    )
    torch.manual_seed(0)
    model = AudioSpectrogramTransformer(spec)
    for parameter in model.parameters():  # far from the start, where every answer is one half
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.25)
    values = {
        "model": spec,
        "fbank": FbankSpec(),
        "labels": LABELS,
        "weights": dict(model.state_dict()),
        "recipe": {
            "name": "small",
            "licence": "CC0-1.0",
            "soundscapes": {"examples_per_epoch": 640},
            "packs": {
                "sounds": {"role": "events", "labels": {"w": "Whistle", "h": "Hum", "x": None}},
                "neither": {"role": "events", "labels": {}},
                "noise": {"role": "background", "labels": {}},
            },
        },
        "epoch": 3,
        "metrics": {
            "macro_ap": 0.5,
            "macro_ap_interval": [0.4, 0.6],
            "recordings": 12,
            "sources": 9,
            "measured_on": "test",
            "labels": {
                "Whistle": {"ap": 0.75, "positives": 4, "interval": [0.5, 1.0], "ece": 0.03},
                "Hum": {"ap": 0.25, "positives": 2},
                "Hiss": {"ap": None, "positives": 0},
            },
            "calibration": "by hand",
        },
        "provenance": {"torch": str(torch.__version__)},
    }
    return Checkpoint(**values | changes)  # type: ignore[arg-type]
