"""What a training run is made of between two steps, and how it survives a restart."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.parallel import DistributedDataParallel

from ast_edge import __version__
from ast_edge.base.errors import ConfigError
from ast_training.base.processes import Processes
from ast_training.model.checkpoint import Checkpoint, load_checkpoint
from ast_training.model.lora import adapt, merged
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.model.optimization import make_optimizer
from ast_training.recipe.recipe import InitConfig, Recipe
from ast_training.run.first_heads import fit_heads
from ast_training.run.precision import matrix_dtype
from ast_training.run.seed import KEY as SEED
from ast_training.teacher.config import SHOWS_FEATURES, open_teachers
from ast_training.teacher.grid import RATE
from ast_training.teacher.hint import Hint, Learner
from ast_training.weights.initialisation import initialise, initialise_stem

HINT = "hint."
"""Before what is kept of a `Hint` for resuming."""


@dataclass
class TrainingState:
    """Model, optimizer and weight average after `step` steps."""

    model: AudioSpectrogramTransformer
    network: nn.Module
    """The model as it is called: distributed and compiled where wanted."""
    hint: Hint | None
    """Guesses the teachers' features, where these are learnt."""
    optimizer: torch.optim.Optimizer
    scaler: GradScaler
    """Of the loss; active for fp16 only."""
    average: dict[str, Tensor]
    """Exponential moving average of the weights; empty when the recipe wants none."""
    total: Tensor
    """Sum of the losses of the current epoch's steps."""
    dtype: torch.dtype
    """Of the matrix products."""
    epoch_steps: int
    """Steps in an epoch."""
    seed: int
    """Of the run's examples and of what its steps draw; see `run_seed`."""
    label_weights: Tensor | None = None
    """How much each label counts in the loss (labels,); None if all count alike."""
    epoch: int = 0
    """Complete epochs."""
    step: int = 0
    metrics: dict[str, Any] = field(default_factory=dict)
    """Of the last complete epoch."""

    @classmethod
    def start(
        cls,
        recipe: Recipe,
        epoch_steps: int,
        last: Path,
        processes: Processes,
        seed: int | None = None,
        label_weights: Sequence[float] | None = None,
    ) -> "TrainingState":
        """Make a fresh state, or the one that the checkpoint `last` holds if it exists.

        The seed is the recipe's unless given.

        Raises:
            ConfigError: if that one is of another model, other labels or epochs of other length
                than the recipe's, or is to hand on, not to go on from.
            BundleError: if the weights to start from cannot be read, or do not fit.
        """
        torch.manual_seed(recipe.seed)
        device = processes.device
        model = AudioSpectrogramTransformer(recipe.model_spec, recipe.training_options)
        if recipe.model.prior is not None:
            model.expect(recipe.model.prior)
        if model.v.stem is not None:  # its convolutions take half the time so
            model.v.stem.networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if recipe.init is not None and not last.exists():
            _initialise(model, recipe, recipe.init)
        if recipe.adapt is not None:
            adapt(model, recipe.adapt)
        elif recipe.optimizer.stem and model.v.stem is not None:
            model.v.stem.learn()
        model = model.to(device)
        hint = _hint_of(recipe).to(device) if recipe.hint else None
        network: nn.Module = Learner(model, hint)
        if processes.world > 1:
            network = DistributedDataParallel(network)
        if recipe.loop.compile:
            network = torch.compile(network)  # type: ignore[assignment]
        dtype = matrix_dtype(recipe.loop.precision, device)
        weights = merged(model) if recipe.optimizer.ema else {}
        shares = label_weights
        state = cls(
            model=model,
            network=network,
            hint=hint,
            optimizer=make_optimizer(model, recipe.optimizer, hint),
            scaler=GradScaler(device.type, enabled=dtype == torch.float16),
            average={k: v.detach().clone() for k, v in weights.items()},
            total=torch.zeros((), device=device),
            dtype=dtype,
            epoch_steps=epoch_steps,
            seed=recipe.seed if seed is None else seed,
            label_weights=None if shares is None else torch.tensor(shares, device=device),
        )
        if last.exists():
            saved = load_checkpoint(last)
            check_made_by(recipe, saved, last)
            if not saved.state:
                raise ConfigError(
                    f"{last}: holds no state to go on from: it is a checkpoint to hand on; start "
                    "from it with the recipe's init.source, in another folder"
                )
            if (steps := int(saved.state["epoch_steps"])) != epoch_steps:
                raise ConfigError(
                    f"{last}: expected {epoch_steps} steps in an epoch, got {steps}: use the batch "
                    "and the clips it was made with, or train into another folder"
                )
            state._restore(saved)
        return state

    def _restore(self, saved: Checkpoint) -> None:
        known = saved.weights | _part(saved.state, "model.")
        self.model.load_state_dict({name: known[name] for name in self.model.state_dict()})
        if self.hint:
            self.hint.load_state_dict(_part(saved.state, HINT))
        # By name, since the order of the optimizer's parameters depends on its settings.
        parameters = dict(self._named_parameters())
        for key, value in _part(saved.state, "optimizer.").items():
            name, _, moment = key.rpartition(".")
            self.optimizer.state[parameters[name]][moment] = value.to(self.total.device)
        if "loss_scale" in saved.state and self.scaler.is_enabled():
            scale = {"scale": saved.state["loss_scale"].item(), "_growth_tracker": 0}
            self.scaler.load_state_dict(self.scaler.state_dict() | scale)
        for name in self.average:
            self.average[name].copy_(saved.weights[name])
        self.total.copy_(saved.state["total"])
        self.epoch, self.step = saved.epoch, int(saved.state["step"])
        self.metrics = saved.metrics

    def _named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield all that is learnt."""
        yield from self.model.named_parameters()
        if self.hint:
            yield from self.hint.named_parameters(HINT.rstrip("."))

    def seed_step(self) -> None:
        """Seed what the next step draws by the run's seed and the number of the step alone.

        So a restart, or another number of processes, drops the same patches.
        """
        # One number of the two: a CPU's generator takes no more than 32 bits of a seed.
        torch.manual_seed(int(np.random.SeedSequence((self.seed, self.step)).generate_state(1)[0]))

    def advance(self, decay: float) -> None:
        """Count a step and move the weight average towards the new weights."""
        self.step += 1
        # Early on the average follows quickly, so that it forgets the random start.
        decay = min(decay, self.step / (self.step + 10))
        if self.average:
            with torch.no_grad():
                weights = merged(self.model)
                for name, average in self.average.items():
                    average.lerp_(weights[name], 1 - decay)

    def weights(self) -> dict[str, Tensor]:
        """Return what is evaluated and kept: the moving average where there is one.

        What the model learns beside its weights (`lora`) is in them.
        """
        return self.average or merged(self.model)

    def evaluated(self) -> AudioSpectrogramTransformer:
        """Make a model of these weights, in evaluation mode."""
        model = AudioSpectrogramTransformer(self.model.spec).to(self.total.device)
        model.load_state_dict(self.weights())
        return model.eval()

    def checkpoint(self, recipe: Recipe) -> Checkpoint:
        """Describe the kept weights, and add what resuming needs."""
        state = {
            "step": torch.tensor(self.step),
            "epoch_steps": torch.tensor(self.epoch_steps),
            "total": self.total,
        }
        if self.seed != recipe.seed:
            state[SEED] = torch.tensor(self.seed)
        raw, weights = self.model.state_dict(), self.weights()
        # Of the average none is the model's own; else only what is merged in the weights is not.
        state |= {f"model.{k}": v for k, v in raw.items() if self.average or k not in weights}
        if self.scaler.is_enabled():
            state["loss_scale"] = torch.tensor(self.scaler.get_scale())
        if self.hint:
            state |= {f"{HINT}{k}": v for k, v in self.hint.state_dict().items()}
        for name, parameter in self._named_parameters():
            moments = self.optimizer.state[parameter]
            state |= {f"optimizer.{name}.{moment}": value for moment, value in moments.items()}
        return Checkpoint(
            model=recipe.model_spec,
            fbank=recipe.fbank_spec,
            labels=recipe.label_set,
            weights={k: v.cpu() for k, v in weights.items()},
            recipe=recipe.model_dump(mode="json"),
            epoch=self.epoch,
            metrics=self.metrics,
            provenance=provenance(),
            state={k: v.cpu() for k, v in state.items()},
        )


def _initialise(model: AudioSpectrogramTransformer, recipe: Recipe, init: InitConfig) -> None:
    """Take over the weights that the recipe names."""
    if init.stem or init.yamnet:
        initialise_stem(model, recipe.fbank_spec, init.stem, init.yamnet)
    if init.source is not None:
        initialise(
            model,
            init.source,
            init.pos_embed,
            recipe.label_set,
            frozen=recipe.adapt is not None,
            stem=init.stem is None and init.yamnet is None,
        )
    if init.heads:
        fit_heads(model, recipe, init)


def _hint_of(recipe: Recipe) -> Hint:
    """Make what guesses the features that the recipe's teachers show."""
    # Only those: the threads of another engine would be missing in the processes that are forked to
    # prepare examples, and keep them waiting for ever.
    showing = [teacher for teacher in recipe.teachers if teacher.kind == SHOWS_FEATURES]
    silence = np.zeros((1, RATE), np.float32)
    features = open_teachers(showing).hear(silence).clip_features.shape[1]
    return Hint(recipe.model_spec, recipe.fbank_spec, features)


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


def provenance() -> dict[str, str]:
    """Say with which versions, and from which revision of the source if known, this runs."""
    versions = {"ast_edge": __version__, "torch": str(torch.__version__)}
    git = shutil.which("git")
    if git is None:
        return versions
    ask = [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    revision = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    return versions | ({"revision": revision} if revision else {})


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
