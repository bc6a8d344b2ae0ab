"""What a checkpoint is and what it was trained on, in words for a card."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from ast_training.measure.held_out_metrics import MEASURED_ON
from ast_training.model.checkpoint import Checkpoint

STANDING = {
    "test": "that chose nothing",
    "validation": "which chose the epoch: expect less of others",
}
"""What is said of the recordings that figures were measured on."""


def measured_on(metrics: dict[str, Any], recipes: Sequence[dict[str, Any]]) -> str:
    """Say what was measured on; of bundles that were made before it was kept, not all is known."""
    split = metrics.get(MEASURED_ON, "")
    held_out = split == "test" or all(map(_holds_out, recipes))
    sources = f" of {metrics['sources']} sources" if "sources" in metrics else ""
    standing = STANDING.get(split, "some of which may have chosen the epoch")
    kind = "held-out" if held_out else "(perhaps its own)"
    return f"{metrics['recordings']} {kind} recordings{sources}, {standing}"


def interval_text(interval: Sequence[float] | None) -> str:
    """Write where a figure lies in 95 % of resamples, in brackets; nothing if it is not known."""
    return f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""


def facts(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the rows of a table that say what a checkpoint is."""
    model, recipe = checkpoint.model, checkpoint.recipe
    parameters = sum(weights.numel() for weights in checkpoint.weights.values())
    seconds = checkpoint.fbank.samples_in(model.frames) / checkpoint.fbank.sample_rate
    rows = {
        "Size": f"{parameters / 1e6:.1f} M parameters, width {model.width}, {model.depth} blocks",
        "Window": f"{seconds:.2f} s ({model.frames} frames), patches of {model.patch[0]} mel bins "
        f"by {model.patch[1]} frames, stride {model.stride[0]} by {model.stride[1]}",
        "Trained": _training(checkpoint),
    }
    if stem := _stem(checkpoint):
        rows["Stem"] = stem
    if teachers := recipe.get("teachers"):
        names = (f"{one['kind']} (`{PurePath(one['weights']).name}`)" for one in teachers)
        rows["Taught by"] = ", ".join(names)
    return rows | ({"Recipe": f"`{recipe['name']}`"} if recipe else {})


def _stem(checkpoint: Checkpoint) -> str:
    """Say what pretrained networks a model is told by; nothing if by none."""
    model, init = checkpoint.model, checkpoint.recipe.get("init") or {}
    given = {name: PurePath(init.get(name) or "its source").name for name in ("stem", "yamnet")}
    networks = []
    if model.stem:
        networks.append(f"a pretrained MobileNet, {model.stem} channels (`{given['stem']}`)")
    if model.yamnet:
        networks.append(f"YAMNet (`{given['yamnet']}`)")
    learns = model.stem and (checkpoint.recipe.get("optimizer") or {}).get("stem")
    told = "of which the first learnt on" if learns else "which do not learn"
    told += ": patches and heads are told what they see"
    return f"the convolutions of {' and '.join(networks)}, {told}" if networks else ""


def _training(checkpoint: Checkpoint) -> str:
    recipe = checkpoint.recipe
    if not recipe:
        return f"elsewhere; imported from {checkpoint.provenance.get('imported from', 'a file')}"
    examples = (
        recipe.get("soundscapes", {}).get("examples_per_epoch") if recipe.get("packs") else None
    )
    amount = f" of {examples} composed examples" if examples else ""
    source = (recipe.get("init") or {}).get("source")
    start = f"the weights of `{PurePath(source).name}`" if source else "random weights"
    adapt = recipe.get("adapt") or {}
    part = {"heads": ", its heads alone", "lora": f", by changes of rank {adapt.get('rank')}"}
    return f"{checkpoint.epoch} epochs{amount}, from {start}{part.get(adapt.get('learn', ''), '')}"


def data_used(recipe: dict[str, Any]) -> list[str]:
    """Say what a recipe trains on, on whose terms, and what it holds out, as lines of Markdown."""
    if recipe.get("packs"):
        held_out = [name for name, pack in recipe["packs"].items() if _holds_any_out(pack)]
        return [
            f"Sources of {', '.join(f'`{name}`' for name in held_out)} were held out; none of them "
            "trained."
            if held_out
            else "The recipe holds no source out.",
            "",
            *(f"- `{name}`: {_use(pack)}" for name, pack in recipe["packs"].items()),
        ]
    if recipe.get("data"):
        return [f"Clips of `{PurePath(recipe['data']['folder']).name}`, as the recipe lists them."]
    return ["Not known here: ask the source of the weights (see Provenance)."]


def _holds_out(recipe: dict[str, Any]) -> bool:
    """Tell whether a recipe keeps what it measures on out of the training."""
    if data := recipe.get("data"):
        splits = set(data.get("train", ["train"])) & set(data.get("evaluate", ["validation"]))
        return bool(data.get("fold")) or not splits
    return any(map(_holds_any_out, recipe.get("packs", {}).values()))


def _holds_any_out(pack: dict[str, Any]) -> bool:
    keys = ("validation", "validation_share", "test_share", "hold_out")
    return any(pack.get(key) for key in keys)


def _use(pack: dict[str, Any]) -> str:
    labels = sorted({label for label in pack["labels"].values() if label})
    use = "; ".join(labels) or "examples of none of the labels"
    role = pack.get("role", "background" if pack.get("background") else "events")
    if role != "events":
        use = {"background": "background noise", "room": "how rooms sound"}[role]
    return f"{use}. Terms: {pack.get('licence') or 'not stated in the recipe'}."
