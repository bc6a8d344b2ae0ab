"""The training loop, from the first example to the last checkpoint."""

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import cast

import torch
from rich.console import Console
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from ast_edge.base.errors import ConfigError
from ast_training.base.errors import TrainingError
from ast_training.base.processes import Processes, join_processes
from ast_training.base.progress import progress_bar
from ast_training.data.example import Batch, Examples, batches
from ast_training.measure.event_figures import EventFigures
from ast_training.measure.held_out_metrics import MEASURED_ON
from ast_training.measure.metrics import Metrics, measure
from ast_training.model.checkpoint import load_checkpoint
from ast_training.model.losses import frame_losses, losses
from ast_training.model.optimization import set_lr
from ast_training.recipe.recipe import Recipe
from ast_training.recipe.settings import check_settings
from ast_training.run.averaging import average_epochs, is_average_of
from ast_training.run.folder import RunFolder
from ast_training.run.label_weights import label_weights
from ast_training.run.log import RunLog
from ast_training.run.seed import run_seed
from ast_training.run.state import TrainingState
from ast_training.run.training_data import open_data
from ast_training.run.validation_scenes import ValidationScenes

LOG_EVERY = 20
"""Steps between two points of the curves, and between two looks at whether the loss is finite."""


def fit(recipe: Recipe, run: RunFolder, console: Console) -> None:
    """Train a model, or go on where the run in that folder stopped.

    Writes into the folder a checkpoint of the last epoch (with all that resuming needs) and of the
    best, a row of metrics per epoch, TensorBoard's curves and, where the recipe averages weights,
    those of every epoch and their average. The same recipe gives the same examples in the same
    order, also across a resume and over any number of processes; started from other weights, it
    gives others.

    Raises:
        ConfigError: if the clips do not suffice, or the run was made by other settings.
        BundleError: if the weights to start from cannot be read, or do not fit.
        TrainingError: if the loss is not finite or a file cannot be written; what was written
            before is intact.
    """
    with join_processes() as processes:
        console.quiet = not processes.main
        run.path.mkdir(parents=True, exist_ok=True)
        console.print(f"opening the data of {recipe.name} …")
        seed = seed_of(recipe, run)
        seeded = recipe.model_copy(update={"seed": seed})
        examples, held_out = open_data(seeded, run.examples)
        console.print(f"{len(examples)} examples an epoch, {len(held_out)} clips to evaluate on")
        # The last step of an epoch may have fewer examples.
        steps = math.ceil(len(examples) / recipe.optimizer.batch)
        weights = label_weights(seeded, examples, console)
        state = TrainingState.start(recipe, steps, run.last, processes, seed, weights)
        began = state.epoch
        if began > recipe.optimizer.epochs or len({*processes.gather([state.step])}) > 1:
            raise ConfigError(
                f"{run.last}: expected a run of at most {recipe.optimizer.epochs} epochs that all "
                f"processes can read, got one of {began}: train into another folder, and with "
                "several machines into one that they share"
            )
        check_kept(recipe, run, began)
        scenes = None
        if recipe.scores_scenes and processes.main and began < recipe.optimizer.epochs:
            console.print(f"composing {recipe.soundscapes.validation_minutes} minutes to score …")
            scenes = ValidationScenes(recipe)
        log = RunLog(run, epoch=state.epoch, step=state.step, active=processes.main)
        with contextlib.closing(log), progress_bar(console) as bar:
            total = recipe.optimizer.epochs * steps
            task = bar.add_task("steps", total=total, completed=state.step)

            def after_step() -> None:
                bar.advance(task)
                every = recipe.loop.save_every
                if every and state.step % every == 0:
                    check_finite(state, processes)
                    if processes.main:
                        state.checkpoint(recipe).save(run.last)

            while state.epoch < recipe.optimizer.epochs:
                if is_exhausted(recipe, log, processes):
                    console.print(early_end(recipe, log))
                    break
                started, first = time.monotonic(), state.step
                loss = train_epoch(state, examples, recipe, processes, log, after_step)
                before = (first - (state.epoch - 1) * steps) * recipe.optimizer.batch
                # (A checkpoint of an epoch's very last step leaves nothing of it to do.)
                speed = max(0, len(examples) - before) / (time.monotonic() - started)
                model = state.evaluated()
                metrics = measure(held_out.predict(model, processes))
                events = scenes.score(model) if scenes else None
                finish_epoch(state, recipe, run, log, loss, metrics, speed, events)
                console.print(log.line(recipe.select))
        if recipe.average and processes.main:
            first, last = recipe.average
            if state.epoch > began or not is_average_of(run.average, first, last):
                average_epochs(run, first, last).save(run.average)


def seed_of(recipe: Recipe, run: RunFolder) -> int:
    """Return the run's seed, before its data are opened.

    Raises:
        ConfigError: if the folder holds a run by other settings.
        BundleError: if its checkpoint, or the weights to start from, cannot be read.
    """
    saved = load_checkpoint(run.last) if run.last.exists() else None
    if saved and saved.state:
        check_settings(recipe, saved.recipe, run.last)
    return run_seed(recipe, saved)


def check_kept(recipe: Recipe, run: RunFolder, done: int) -> None:
    """See before the training that what it will average at its end was kept so far.

    Raises:
        ConfigError: if weights of epochs that are done are missing.
    """
    first, last = recipe.average or (1, 0)
    kept = run.epochs()
    missing = [epoch for epoch in range(first, min(last, done) + 1) if epoch not in kept]
    if missing and not is_average_of(run.average, first, last):
        raise ConfigError(
            f"{run.path}: average says epochs {first} to {last}, but the weights of epoch "
            f"{missing[0]} were not kept: average later ones, or train into another folder"
        )


def is_exhausted(recipe: Recipe, log: RunLog, processes: Processes) -> bool:
    """Tell whether the epochs that the recipe's `patience` allows without a better one are over.

    The main process decides: scenes are scored by it alone.
    """
    if recipe.patience is None:
        return False
    waited = processes.gather([log.epochs_since_best(recipe.select)])[0]
    return waited >= recipe.patience


def early_end(recipe: Recipe, log: RunLog) -> str:
    """Say why a training ends before its last epoch."""
    done, waited = len(log.rows), log.epochs_since_best(recipe.select)
    return (
        f"ends after epoch {done} of {recipe.optimizer.epochs}: no better {recipe.select} than "
        f"{log.best(recipe.select):.3f} (epoch {done - waited}) in {waited} epochs, see patience"
    )


def finish_epoch(
    state: TrainingState,
    recipe: Recipe,
    run: RunFolder,
    log: RunLog,
    loss: float,
    metrics: Metrics,
    speed: float,
    events: EventFigures | None = None,
) -> None:
    """Write what is known after an epoch; nothing unless the log is active."""
    state.metrics = metrics.as_dict() | {MEASURED_ON: "validation"}
    if events:
        state.metrics["scenes"] = asdict(events)
    row: dict[str, float | int | None] = {
        "epoch": state.epoch,
        "lr": recipe.optimizer.lr_at(state.step - 1, state.epoch_steps),
        "loss": round(loss, 6),
        "map": round(metrics.mean_average_precision, 5),
        "auc": round(metrics.mean_auc, 5),
        "accuracy": None if metrics.accuracy is None else round(metrics.accuracy, 5),
        "clips_per_second": round(speed, 1),
    }
    row |= events.row() if events else {}
    # Scenes are scored by the main process alone.
    best, found = log.best(recipe.select), row.get(recipe.select)
    log.epoch(state.step, row)
    if not log.active:
        return
    checkpoint = state.checkpoint(recipe)
    handed_on = replace(checkpoint, state={})
    first, last = recipe.average or (1, 0)
    if first <= state.epoch <= last:
        handed_on.save(run.epoch(state.epoch))
    if found is None or found >= best:
        handed_on.save(run.best)
    # The last checkpoint last: killed before it, the epoch is done again and nothing is missing.
    checkpoint.save(run.last)


def train_epoch(
    state: TrainingState,
    examples: Examples,
    recipe: Recipe,
    processes: Processes,
    log: RunLog,
    after_step: Callable[[], None],
) -> float:
    """Train to the end of the epoch and return its mean loss per step."""
    steps, settings = state.epoch_steps, recipe.optimizer
    state.network.train()
    # The positions of all steps that are left of the epoch, and of those this process's share.
    starts = range(
        (state.step - state.epoch * steps) * settings.batch, len(examples), settings.batch
    )
    whole = [range(start, min(start + settings.batch, len(examples))) for start in starts]
    # A last batch smaller than the number of processes leaves some with one example that is void.
    mine = [positions[processes.rank :: processes.world] or positions[:1] for positions in whole]
    loader = batches(examples, state.epoch, mine, recipe.loop.workers)
    for positions, batch in zip(whole, loader, strict=True):
        share = processes.world / len(positions) if processes.rank < len(positions) else 0.0
        lr = settings.lr_at(state.step, steps)
        set_lr(state.optimizer, lr)
        state.total += train_step(state, batch, share, recipe)
        if state.step % LOG_EVERY == 0:
            total = check_finite(state, processes)
            done = state.step - state.epoch * steps
            log.step(state.step, {"loss": total / done, "lr": lr})
        after_step()
    loss = check_finite(state, processes) / steps
    state.total.zero_()
    state.epoch += 1
    return loss


def train_step(state: TrainingState, batch: Batch, share: float, recipe: Recipe) -> Tensor:
    """Take one optimizer step and return this process's part of the loss.

    Args:
        state: is advanced.
        batch: this process's examples.
        share: weight of each example in the mean over the processes' losses.
        recipe: says the rest.
    """
    state.seed_step()
    device, settings = state.total.device, recipe.optimizer
    count = recipe.loop.accumulate
    parts = list(zip(*(part.chunk(count) for part in batch), strict=True))
    total = torch.zeros((), device=device)
    for number, (x, *truths) in enumerate(parts, start=1):
        with contextlib.nullcontext() if number == len(parts) else _local_gradients(state):
            with torch.autocast(device.type, state.dtype, enabled=state.dtype != torch.float32):
                clip, frame, kept, guess = state.network(x.to(device, non_blocking=True))
            true_clip, true_frame, hint = (t.to(device, non_blocking=True) for t in truths)
            each = losses(clip.float(), true_clip, recipe.loss, state.label_weights)
            steps = frame_losses(frame.float(), true_frame[:, kept], state.label_weights)
            if state.hint:
                each = each + recipe.hint * state.hint.losses(guess.float(), hint)
            loss = share * (each + steps).sum()
            state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    state.scaler.unscale_(state.optimizer)
    if settings.clip_norm:
        torch.nn.utils.clip_grad_norm_(state.model.parameters(), settings.clip_norm)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad(set_to_none=True)
    state.advance(settings.ema)
    return total


def check_finite(state: TrainingState, processes: Processes) -> float:
    """Return the sum of the epoch's losses so far, their mean over the processes.

    All processes then hold that sum, so that a checkpoint of one is true for all.

    Raises:
        TrainingError: if it is not finite; the last checkpoint is from before.
    """
    total = processes.sum(state.total.clone()).item() / processes.world
    if not math.isfinite(total):
        raise TrainingError(
            f"the loss is {total} before step {state.step}: lower optimizer.lr, clip the gradient "
            "(optimizer.clip_norm) or compute in bf16 or fp32 (loop.precision); the last "
            "checkpoint is intact"
        )
    state.total.fill_(total)
    return total


def _local_gradients(state: TrainingState) -> contextlib.AbstractContextManager[None]:
    """Keep the processes from adding up the gradients of all but the last part of a step."""
    network = getattr(state.network, "_orig_mod", state.network)  # as it was before compilation
    if isinstance(network, DistributedDataParallel):
        return cast(contextlib.AbstractContextManager[None], network.no_sync())
    return contextlib.nullcontext()
