"""What a training run is made of between two steps, and how it survives a restart."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ast_edge import __version__
from ast_edge.errors import ConfigError
from ast_training.checkpoint import Checkpoint, load_checkpoint
from ast_training.model import AudioSpectrogramTransformer
from ast_training.recipe import Recipe
from ast_training.validation import ValidationScores


@dataclass
class TrainingState:
    """Model, optimizer and weight average after `step` steps."""

    model: AudioSpectrogramTransformer
    optimizer: torch.optim.AdamW
    average: dict[str, Tensor]
    """Exponential moving average of the weights: what is validated and shipped."""
    device: torch.device
    bf16: bool
    epoch: int = 0
    step: int = 0

    @classmethod
    def start(cls, recipe: Recipe, last: Path, device: torch.device) -> "TrainingState":
        """Make a fresh state, or the one that the checkpoint `last` holds if it exists.

        Raises:
            ConfigError: if that one is of another model or other labels than the recipe's.
        """
        torch.manual_seed(recipe.seed)
        settings = recipe.optimizer
        model = AudioSpectrogramTransformer(recipe.model_spec, recipe.model.drop_path).to(device)
        matrices = [p for p in model.parameters() if p.ndim > 1]
        vectors = [p for p in model.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": settings.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=settings.lr,
        )
        average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        bf16 = settings.precision == "bf16" or (settings.precision == "auto" and has_bf16(device))
        state = cls(model, optimizer, average, device, bf16)
        if last.exists():
            saved = load_checkpoint(last)
            check_made_by(recipe, saved, last)
            state._restore(saved, settings.steps_per_epoch)
        return state

    def _restore(self, saved: Checkpoint, steps_per_epoch: int) -> None:
        self.model.load_state_dict(
            {k.removeprefix("model."): v for k, v in saved.state.items() if k.startswith("model.")}
        )
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in saved.state.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                moments.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})
        self.average = {k: v.to(self.device) for k, v in saved.weights.items()}
        self.epoch, self.step = saved.epoch, saved.epoch * steps_per_epoch

    def advance(self, decay: float) -> None:
        """Count a step and move the weight average towards the new weights."""
        self.step += 1
        # Early on the average follows quickly, so that it forgets the random start.
        decay = min(decay, self.step / (self.step + 10))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)

    def averaged(self) -> AudioSpectrogramTransformer:
        """Make a model of the averaged weights."""
        model = AudioSpectrogramTransformer(self.model.spec).to(self.device)
        model.load_state_dict(self.average)
        return model.eval()

    def checkpoint(self, recipe: Recipe, scores: ValidationScores) -> Checkpoint:
        """Describe the averaged model, and add what resuming needs."""
        state = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{index}.{name}": value for name, value in values.items()}
        return Checkpoint(
            model=recipe.model_spec,
            fbank=recipe.fbank_spec,
            labels=recipe.label_set,
            weights={k: v.cpu() for k, v in self.average.items()},
            recipe=recipe.model_dump(mode="json"),
            epoch=self.epoch,
            metrics=scores.as_dict(),
            provenance=provenance(),
            state={k: v.cpu() for k, v in state.items()},
        )


def check_made_by(recipe: Recipe, checkpoint: Checkpoint, path: Path) -> None:
    """Refuse to go on with a checkpoint whose model, front end or labels the recipe has not.

    Raises:
        ConfigError: naming what differs.
    """
    pairs = {
        "model": (recipe.model_spec, checkpoint.model),
        "front end": (recipe.fbank_spec, checkpoint.fbank),
        "labels": (recipe.label_set, checkpoint.labels),
    }
    other = [name for name, (wanted, found) in pairs.items() if wanted != found]
    if other:
        raise ConfigError(
            f"{path}: does not have the {' and '.join(other)} of the recipe {recipe.name!r}: "
            "use the recipe it was made with, or train into another folder"
        )


def has_bf16(device: torch.device) -> bool:
    """Tell whether the device multiplies bfloat16 matrices faster than float32 ones."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def provenance() -> dict[str, str]:
    """Say with which versions, and from which revision of the source if known, this runs."""
    versions = {"ast_edge": __version__, "torch": str(torch.__version__)}
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    revision = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return versions | ({"revision": revision} if revision else {})
