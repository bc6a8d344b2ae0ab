"""A recipe to start from, written beside prepared clips of one's own."""

import json
from pathlib import Path

import numpy as np

from ast_edge.frontend.fbank import FbankSpec
from ast_training.base.atomic_file import atomic_file
from ast_training.data.clips import ClipSet

EXAMPLES = 20_000
"""What a small set is repeated to: a Transformer from random weights learns slowly."""

TEXT = """\
# Made by `ast-train prepare`; yours to change. Every key is explained in
# training/ast_training/recipe/recipe.py; what it does to the result, in docs/training.md.
#
#   ast-train fit --config {path}

name: {name}
labels: # display name: AudioSet machine id, if it has one
{labels}

model:
  size: tiny # small, base
  frames: {frames} # of 10 ms: {seconds:.2f} s
  patch: [16, 16]
  stride: [16, 16]
  mean: {mean:.4f}
  std: {std:.4f}

# Far better than starting from random weights (`ast-train import --list`), with size: base and
# stride: [10, 10]:
# init: {{source: ../../pretrained/ast-finetuned-audioset-10-10-0.4593.safetensors}}
# With few recordings learn no more than a part of it; mean and std above are then the model's own:
# adapt: {{learn: lora}} # or heads

data:
  folder: .
{which}

augment:
  mixup: 0.5
  freq_mask: 24
  time_mask: {time_mask}
  roll: {roll}

sampler: {sampler}
loss: bce # each label for itself, so that nothing may sound; ce lets exactly one win
select: {select}
average: [{average}, {epochs}]

optimizer:
  kind: adamw
  lr: 5.0e-4 # 1.0e-5 when starting from trained weights
  weight_decay: 0.05
  clip_norm: 1.0
  batch: 16
  epochs: {epochs} # `average`, above, ends here
  schedule: {{kind: cosine, warmup_steps: {warmup}}}
"""


def write_starter_recipe(clips: ClipSet) -> Path:
    """Write `recipe.yaml` into the folder of the clips, unless there is one; return its path.

    Raises:
        TrainingError: if it cannot be written.
    """
    path = clips.folder / "recipe.yaml"
    if not path.exists():
        with atomic_file(path) as partial:
            partial.write_text(_text(clips, path), encoding="utf-8")
    return path


def _text(clips: ClipSet, path: Path) -> str:
    spec, train = FbankSpec(), clips.select(["train"])
    # Nine tenths of the clips fit; of the others the head is heard.
    wanted = spec.frames_in(int(np.quantile(clips.seconds, 0.9) * spec.sample_rate))
    frames = int(np.clip(-(-wanted // 16) * 16, 32, 1024))
    numbers = [len(clips[index].labels) for index in train.tolist()]
    single, labelled = set(numbers) == {1}, min(numbers) > 0  # `balanced` never draws the others
    counts = clips.counts(train)
    unequal = int(counts.max()) > 2 * max(1, int(counts.min()))
    epochs = int(np.clip(-(-EXAMPLES // len(train)), 10, 100))
    return TEXT.format(
        path=path,
        name=json.dumps(path.parent.resolve().name),
        labels="\n".join(
            f"  {_quoted(label.name)}: {_quoted(label.mid)}" for label in clips.labels
        ),
        frames=frames,
        seconds=spec.samples_in(frames) / spec.sample_rate,
        mean=clips.mean,
        std=clips.std,
        which=_which(clips),
        time_mask=frames // 5,
        roll=frames // 4,
        sampler="balanced" if unequal and labelled else "shuffle",
        select="accuracy" if single else "map",
        average=epochs // 2 + 1,
        epochs=epochs,
        warmup=len(train) // 16,
    )


def _which(clips: ClipSet) -> str:
    folds = sorted({clips[index].fold for index in range(len(clips))} - {0})
    if folds:
        return f"  fold: {folds[0]} # of {', '.join(map(str, folds))}: evaluates on it"
    held_out = next((s for s in ("validation", "test") if len(clips.select([s]))), "train")
    return f"  train: [train]\n  evaluate: [{held_out}]"


def _quoted(text: str) -> str:
    """Quote for YAML, whose double-quoted strings are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
