"""Model cards: what a bundle is, how good it is, and what one may do with it.

A card states what was measured and what is known. An imported model was trained elsewhere: its card
says where it came from, and claims nothing else.
"""

from pathlib import PurePath
from typing import Any

from ast_training.checkpoint import Checkpoint


def model_card(checkpoint: Checkpoint, tree: dict[str, Any]) -> str:
    """Write the card of a bundle as Markdown, from the checkpoint and `bundle.json`."""
    sections = {
        "Data": _data(checkpoint.recipe),
        "Quality": _quality(tree),
        "Limits": _limits(checkpoint.recipe),
        "Parity with the trained model": _parity(tree),
        "Provenance": [f"- {key}: {value}" for key, value in tree["provenance"].items()],
    }
    lines = _summary(checkpoint, tree)
    for title, section in sections.items():
        lines += ["", f"## {title}", "", *section]
    return "\n".join(lines) + "\n"


def _summary(checkpoint: Checkpoint, tree: dict[str, Any]) -> list[str]:
    recipe, model, metrics = checkpoint.recipe, checkpoint.model, tree["metrics"]
    parameters = sum(weights.numel() for weights in checkpoint.weights.values())
    seconds = checkpoint.fbank.samples_in(model.frames) / checkpoint.fbank.sample_rate
    quality = "not measured here"
    if metrics:
        quality = f"**{metrics['macro_ap']:.3f}** on {metrics['recordings']} held-out recordings"
    return [
        f"# Model card: `{tree['name']}`",
        "",
        "An Audio Spectrogram Transformer (Gong et al. 2021) that hears "
        f"{len(checkpoint.labels)} sounds. Written by `ast-export onnx`.",
        "",
        "| | |",
        "|---|---|",
        f"| Size | {parameters / 1e6:.1f} M parameters, width {model.width}, "
        f"{model.depth} blocks |",
        f"| Window | {seconds:.2f} s ({model.frames} frames), patches of {model.patch[0]} mel bins "
        f"by {model.patch[1]} frames, stride {model.stride[0]} by {model.stride[1]} |",
        f"| Trained | {_training(checkpoint)} |",
        *([f"| Recipe | `{recipe['name']}` |"] if recipe else []),
        f"| Licence of the weights | {tree['licence']} |",
        f"| Macro AP | {quality} |",
    ]


def _training(checkpoint: Checkpoint) -> str:
    recipe = checkpoint.recipe
    if not recipe:
        return f"elsewhere; imported from {checkpoint.provenance.get('imported from', 'a file')}"
    examples = recipe.get("mix", {}).get("examples_per_epoch") if recipe.get("packs") else None
    amount = f" of {examples} composed examples" if examples else ""
    init = recipe.get("init")
    start = f"the weights of `{PurePath(init['source']).name}`" if init else "random weights"
    return f"{checkpoint.epoch} epochs{amount}, from {start}"


def _data(recipe: dict[str, Any]) -> list[str]:
    if recipe.get("packs"):
        return [
            "A share of the sources of each label was held out for validation; no source stands on "
            "both sides.",
            "",
            *(f"- `{name}`: {_use(pack)}" for name, pack in recipe["packs"].items()),
        ]
    if recipe.get("data"):
        return [f"Clips of `{PurePath(recipe['data']['folder']).name}`, as the recipe lists them."]
    return ["Not known here: ask the source of the weights (see Provenance)."]


def _use(pack: dict[str, Any]) -> str:
    labels = sorted({label for label in pack["labels"].values() if label})
    use = "; ".join(labels) or "examples of none of the labels"
    if pack["background"]:
        use = "background noise"
    return f"{use}. Terms: {pack.get('licence') or 'not stated in the recipe'}."


def _quality(tree: dict[str, Any]) -> list[str]:
    thresholds = {label["name"]: label["settings"]["on"] for label in tree["labels"]}
    start = (
        "The threshold is where events start unless configured; "
        f"calibration: {tree['calibration']}."
    )
    if not tree["metrics"]:
        return [
            f"Not measured here. {start}",
            "",
            "| label | threshold |",
            "|---|---|",
            *(f"| {name} | {on:.2f} |" for name, on in thresholds.items()),
        ]
    return [
        "Average precision per label, clip level: the score of a recording is the highest of its "
        f"windows. A label with few held-out recordings has a rough figure. {start}",
        "",
        "| label | AP | held-out recordings | threshold |",
        "|---|---|---|---|",
        *(
            f"| {name} | {_figure(tree['metrics']['labels'][name])} | {on:.2f} |"
            for name, on in thresholds.items()
        ),
    ]


def _figure(quality: dict[str, Any]) -> str:
    ap = "none" if quality["ap"] is None else f"{quality['ap']:.3f}"
    return f"{ap} | {quality['positives']}"


def _limits(recipe: dict[str, Any]) -> list[str]:
    lines = [
        "- Not a safety device. It misses events and reports some that are none.",
        "- It knows only the labels above; another sound may be taken for the nearest of them.",
    ]
    if recipe.get("packs"):
        lines += [
            "- Trained on small public sets, most of them close to the microphone and in the open; "
            "expect less across a room.",
            "- There is no label for doorbells and smoke alarms: too few recordings with a stated "
            "licence were at hand.",
        ]
    return lines


def _parity(tree: dict[str, Any]) -> list[str]:
    return [
        "| engine | precision | largest difference | mean | same first label |",
        "|---|---|---|---|---|",
        *(
            f"| {r['engine']} | {r['precision']} | {r['largest']:.1e} | {r['mean']:.1e} | "
            f"{r['top1']:.1%} |"
            for r in tree["parity"]
        ),
    ]
