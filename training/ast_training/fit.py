"""The training loop, from the first example to the last checkpoint."""

import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from ast_training.errors import TrainingError
from ast_training.mixing import Mixer
from ast_training.recipe import Recipe
from ast_training.recordings import AudioCache, read_recordings
from ast_training.state import TrainingState
from ast_training.validation import ValidationSet


def fit(recipe: Recipe, run: Path, console: Console) -> float:
    """Train a model, or go on where the run in that folder stopped; return the best macro AP.

    Writes `last.safetensors` after every epoch (with all that resuming needs), `best.safetensors`
    when the macro AP on the validation recordings improves, and a row of `metrics.csv`. The same
    recipe gives the same examples in the same order, also across a resume.

    Raises:
        ConfigError: if the recordings do not suffice, or the run is of another model.
        TrainingError: if the loss is not finite or a file cannot be written; what the last epoch
            wrote is intact.
    """
    run.mkdir(parents=True, exist_ok=True)
    mixer, validation = _read_data(recipe, console)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = TrainingState.start(recipe, run / "last.safetensors", device)
    rows = _read_rows(run / "metrics.csv")[: state.epoch]
    best = max((float(row["map"]) for row in rows), default=0.0)
    settings = recipe.optimizer
    with _progress(console) as bar:
        task = bar.add_task("", total=settings.epochs * settings.steps_per_epoch)
        bar.advance(task, state.epoch * settings.steps_per_epoch)
        while state.epoch < settings.epochs:
            started = time.monotonic()
            loss = train_epoch(state, mixer, recipe, lambda: bar.advance(task))
            scores = validation.evaluate(state.averaged())
            row = {
                "epoch": state.epoch,
                "lr": settings.lr_at(state.step),
                "loss": round(loss, 5),
                "map": round(scores.macro, 5),
                "seconds": round(time.monotonic() - started, 1),
            }
            rows.append({key: str(value) for key, value in row.items()})
            _write_rows(run / "metrics.csv", rows)
            checkpoint = state.checkpoint(recipe, scores)
            # The best before the last: killed in between, the epoch is done again, not lost.
            if scores.macro >= best:
                best = scores.macro
                replace(checkpoint, state={}).save(run / "best.safetensors")
            checkpoint.save(run / "last.safetensors")
            bar.console.print(
                f"epoch {state.epoch:3d}  loss {loss:.4f}  macro AP {scores.macro:.3f}  "
                f"best {best:.3f}  {row['seconds']:.0f} s"
            )
    return best


def train_epoch(
    state: TrainingState, mixer: Mixer, recipe: Recipe, tick: Callable[[], None]
) -> float:
    """Train for one epoch and return its mean loss."""
    settings, device = recipe.optimizer, state.device
    torch.manual_seed(recipe.seed + 1000 * (state.epoch + 1))
    state.model.train()
    total = torch.zeros((), device=device)
    for features, targets in batches(mixer, recipe, state.epoch):
        for group in state.optimizer.param_groups:
            group["lr"] = settings.lr_at(state.step)
        with torch.autocast(device.type, torch.bfloat16, enabled=state.bf16):
            logits = state.model(features.to(device))
        loss = F.binary_cross_entropy_with_logits(logits.float(), targets.to(device))
        if not torch.isfinite(loss):
            raise TrainingError(f"the loss is {loss.item()} at step {state.step}: lower lr")
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(state.model.parameters(), settings.clip_norm)
        state.optimizer.step()
        state.advance(settings.ema)
        total += loss.detach()
        tick()
    state.epoch += 1
    return total.item() / settings.steps_per_epoch


def batches(mixer: Mixer, recipe: Recipe, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (batch, frames, mels) and (batch, labels); seeded by epoch and position alone."""
    size = recipe.optimizer.batch
    for step in range(recipe.optimizer.steps_per_epoch):
        seeds = [(recipe.seed, epoch, step * size + i) for i in range(size)]
        features, targets = zip(*(mixer.example(seed) for seed in seeds), strict=True)
        yield torch.from_numpy(np.stack(features)), torch.from_numpy(np.stack(targets))


def _read_data(recipe: Recipe, console: Console) -> tuple[Mixer, ValidationSet]:
    console.print(f"reading the recordings of {len(recipe.packs)} packs …")
    recordings, rate = read_recordings(recipe), recipe.fbank_spec.sample_rate
    train = [r for r in recordings if not r.validation]
    events = AudioCache([r for r in train if not r.background], rate)
    noise = AudioCache([r for r in train if r.background], rate)
    held_out = [r for r in recordings if r.validation and not r.background]
    validation = ValidationSet(AudioCache(held_out, rate), recipe)
    console.print(
        f"{len(events)} recordings to train on, {len(noise)} backgrounds, "
        f"{len(validation)} to validate on"
    )
    mixer = Mixer(
        events,
        noise,
        labels=len(recipe.labels),
        frames=recipe.model.frames,
        spec=recipe.fbank_spec,
        mix=recipe.mix,
    )
    return mixer, validation


def _progress(console: Console) -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


def _read_rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(path)
    except OSError as exc:
        raise TrainingError(f"{path}: cannot be written: {exc.strerror}") from exc
