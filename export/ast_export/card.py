"""Model cards: what a bundle is, how good it is, and what one may do with it."""

from typing import Any

from ast_training.checkpoint import Checkpoint


def model_card(checkpoint: Checkpoint, tree: dict[str, Any]) -> str:
    """Write the card of a bundle as Markdown, from the checkpoint and `bundle.json`."""
    recipe, model = checkpoint.recipe, checkpoint.model
    parameters = sum(weights.numel() for weights in checkpoint.weights.values())
    seconds = checkpoint.fbank.samples_in(model.frames) / checkpoint.fbank.sample_rate
    lines = [
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
        f"| Trained | {checkpoint.epoch} epochs of "
        f"{recipe['optimizer']['examples_per_epoch']} composed examples, from random weights |",
        f"| Recipe | `configs/train/{recipe['name']}.yaml` |",
        f"| Licence of the weights | {tree['licence']} |",
        f"| Macro AP | **{tree['metrics']['macro_ap']:.3f}** on "
        f"{tree['metrics']['recordings']} held-out recordings |",
        "",
        "## Data",
        "",
        "A share of the sources of each label was held out for validation; no source stands on "
        "both sides.",
        "",
    ]
    lines += [f"- `{name}`: {_use(pack)}" for name, pack in recipe["packs"].items()]
    lines += [
        "",
        "## Quality",
        "",
        "Average precision per label, clip level: the score of a recording is the highest of its "
        "windows. A label with few held-out recordings has a rough figure. The threshold is where "
        f"events start unless configured; calibration: {tree['calibration']}.",
        "",
        "| label | AP | held-out recordings | threshold |",
        "|---|---|---|---|",
    ]
    for label in tree["labels"]:
        quality = tree["metrics"]["labels"][label["name"]]
        ap = "none" if quality["ap"] is None else f"{quality['ap']:.3f}"
        on = label["settings"]["on"]
        lines.append(f"| {label['name']} | {ap} | {quality['positives']} | {on:.2f} |")
    lines += [
        "",
        "## Limits",
        "",
        "- Not a safety device. It misses events and reports some that are none.",
        "- Trained on small public sets, most of them close to the microphone and in the open; "
        "expect less across a room.",
        "- It knows only the labels above; another sound may be taken for the nearest of them.",
        "- There is no label for doorbells and smoke alarms: too few recordings with a stated "
        "licence were at hand.",
        "",
        "## Parity with the trained model",
        "",
        "| engine | precision | largest difference | mean | same first label |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['engine']} | {r['precision']} | {r['largest']:.1e} | {r['mean']:.1e} | "
        f"{r['top1']:.1%} |"
        for r in tree["parity"]
    ]
    return "\n".join(lines) + "\n"


def _use(pack: dict[str, Any]) -> str:
    labels = sorted({label for label in pack["labels"].values() if label})
    use = "; ".join(labels) or "examples of none of the labels"
    if pack["background"]:
        use = "background noise"
    return f"{use}. Terms: {pack.get('licence') or 'not stated in the recipe'}."
