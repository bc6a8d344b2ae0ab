"""Model cards: what a bundle is, how good it is, and what one may do with it.

A card states what was measured and what is known. An imported model was trained elsewhere: its card
says where it came from, and claims nothing else.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

from ast_export.measurements import measured_sections
from ast_training.measure.evidence import FEW
from ast_training.measure.held_out_metrics import MEASURED_ON
from ast_training.model.checkpoint import Checkpoint

EXPERIMENTAL_AP, FOUND = 0.5, 0.1
"""A label below this average precision, measured on few sources, or of whose events a smaller share
is found, is called experimental."""
STANDING = {
    "test": "that chose nothing",
    "validation": "which chose the epoch: expect less of others",
}
"""What a card says of the recordings that figures were measured on."""
FRAME = {
    "none": "none: events are placed by whole windows",
    "head": "a head trained for them: events are placed by steps",
    "curve": "the head of the clip reads the patches of a step, untrained for that",
}
"""What a card says of each kind of frame scores."""


def model_card(members: Sequence[Checkpoint], tree: dict[str, Any]) -> str:
    """Write the card of a bundle as Markdown, from its checkpoints and `bundle.json`."""
    recipes = {member.recipe.get("name", ""): member.recipe for member in members}
    sections = {
        "Data": _unique(_data(recipe) for recipe in recipes.values()),
        "Quality": _quality(tree),
        **measured_sections(tree["metrics"]),
        "Limits": _limits(members, tree["metrics"]),
        "Parity with the trained model": _parity(tree),
        "Provenance": [f"- {key}: {value}" for key, value in tree["provenance"].items()],
    }
    lines = _summary(members, tree)
    for title, section in sections.items():
        lines += ["", f"## {title}", "", *section]
    return "\n".join(lines) + "\n"


def _unique(sections: Iterable[list[str]]) -> list[str]:
    """Join what the recipes have to say, each line once."""
    return list(dict.fromkeys(line for section in sections for line in section))


def _summary(members: Sequence[Checkpoint], tree: dict[str, Any]) -> list[str]:
    metrics, several = tree["metrics"], len(members) > 1
    recipes = [member.recipe for member in members]
    quality = "not measured here"
    if "macro_ap" in metrics:
        quality = f"**{metrics['macro_ap']:.3f}**{_interval(metrics.get('macro_ap_interval'))} on "
        quality += _recordings(metrics, recipes)
    opening = "An Audio Spectrogram Transformer (Gong et al. 2021)"
    rows = _rows(members[0])
    if several:
        opening = f"An ensemble of {len(members)} Audio Spectrogram Transformers (Gong et al. 2021)"
        rows = {
            f"Member {number}": "; ".join(_rows(member).values())
            for number, member in enumerate(members, 1)
        }
    rows |= {
        "Scores of steps": FRAME[tree["frame"]],
        "Computes in": f"{tree['precision']}, weights stored in {tree['weights']}",
        "Licence of the weights": tree["licence"],
        "Macro AP": quality,
    }
    return [
        f"# Model card: `{tree['name']}`",
        "",
        f"{opening} that hears {len(members[0].labels)} sounds. Written by `ast-export onnx`.",
        *(["Its answer is the mean of its members' probabilities."] if several else []),
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
    ]


def _recordings(metrics: dict[str, Any], recipes: Sequence[dict[str, Any]]) -> str:
    """Say what was measured on; of bundles that were made before it was kept, not all is known."""
    measured_on = metrics.get(MEASURED_ON, "")
    held_out = measured_on == "test" or all(map(_holds_out, recipes))
    sources = f" of {metrics['sources']} sources" if "sources" in metrics else ""
    standing = STANDING.get(measured_on, "some of which may have chosen the epoch")
    kind = "held-out" if held_out else "(perhaps its own)"
    return f"{metrics['recordings']} {kind} recordings{sources}, {standing}"


def _interval(interval: Sequence[float] | None) -> str:
    return f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""


def _rows(checkpoint: Checkpoint) -> dict[str, str]:
    model, recipe = checkpoint.model, checkpoint.recipe
    parameters = sum(weights.numel() for weights in checkpoint.weights.values())
    seconds = checkpoint.fbank.samples_in(model.frames) / checkpoint.fbank.sample_rate
    rows = {
        "Size": f"{parameters / 1e6:.1f} M parameters, width {model.width}, {model.depth} blocks",
        "Window": f"{seconds:.2f} s ({model.frames} frames), patches of {model.patch[0]} mel bins "
        f"by {model.patch[1]} frames, stride {model.stride[0]} by {model.stride[1]}",
        "Trained": _training(checkpoint),
    }
    return rows | ({"Recipe": f"`{recipe['name']}`"} if recipe else {})


def _training(checkpoint: Checkpoint) -> str:
    recipe = checkpoint.recipe
    if not recipe:
        return f"elsewhere; imported from {checkpoint.provenance.get('imported from', 'a file')}"
    examples = (
        recipe.get("soundscapes", {}).get("examples_per_epoch") if recipe.get("packs") else None
    )
    amount = f" of {examples} composed examples" if examples else ""
    init = recipe.get("init")
    start = f"the weights of `{PurePath(init['source']).name}`" if init else "random weights"
    return f"{checkpoint.epoch} epochs{amount}, from {start}"


def _data(recipe: dict[str, Any]) -> list[str]:
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


def _quality(tree: dict[str, Any]) -> list[str]:
    thresholds = {label["name"]: label["settings"]["on"] for label in tree["labels"]}
    start = (
        "The threshold is where events start unless configured; "
        f"calibration: {tree['calibration']}."
    )
    if "labels" not in tree["metrics"]:
        return [
            f"Not measured here. {start}",
            "",
            "| label | threshold |",
            "|---|---|",
            *(f"| {name} | {on:.2f} |" for name, on in thresholds.items()),
        ]
    return [
        "Average precision per label, clip level: the score of a recording is the highest of its "
        "windows; beside it, where it lies in 95 % of resamples of the sources. A label below "
        f"{EXPERIMENTAL_AP}, with fewer than {FEW} sources (few) or where less than {FOUND:.0%} of "
        f"its events are found (below) is experimental. {start} The "
        "calibration error (ECE) is how far a window's probability is from how often it is right.",
        "",
        "| label | AP | 95 % | recordings | of sources | calibration error | threshold |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {name} | {_figure(tree['metrics'], name)} | {on:.2f} |"
            for name, on in thresholds.items()
        ),
    ]


def _figure(metrics: dict[str, Any], name: str) -> str:
    quality = metrics["labels"][name]
    sources = quality.get("sources", quality["positives"])
    ap = "none" if quality["ap"] is None else f"{quality['ap']:.3f}"
    if _is_experimental(quality["ap"], sources, metrics.get("evaluation"), name):
        ap += " (experimental)"
    ece = quality.get("ece")
    error = "not measured" if ece is None else f"{ece:.3f}"
    interval = quality.get("interval")
    span = f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else ""
    few = " (few)" if sources < FEW else ""
    return f"{ap} | {span} | {quality['positives']} | {sources}{few} | {error}"


def _is_experimental(
    ap: float | None, sources: int, evaluation: dict[str, Any] | None, name: str
) -> bool:
    if ap is None or ap < EXPERIMENTAL_AP or sources < FEW:
        return True
    events = evaluation["labels"].get(name) if evaluation else None
    return events is not None and events["found"] < FOUND * events["events"]


def _limits(members: Sequence[Checkpoint], metrics: dict[str, Any]) -> list[str]:
    lines = [
        "- Not a safety device. It misses events and reports some that are none.",
        "- It knows only the labels above; another sound may be taken for the nearest of them.",
    ]
    recipes = [member.recipe for member in members]
    if "robustness" not in metrics:
        lines.append("- How it fares across a room, in noise or over a telephone was not measured.")
    names = {label.name for label in members[0].labels}
    out = dict.fromkeys(name for recipe in recipes for name in recipe.get("labels", {}))
    if left := [name for name in out if name not in names]:
        lines.append(f"- Trained as well, and left out of the bundle: {'; '.join(left)}.")
    return lines


def _parity(tree: dict[str, Any]) -> list[str]:
    return [
        "| engine | precision | largest difference | in a step | mean | same first label "
        "| same first five | mAP |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {r['engine']} | {r['precision']} | {r['largest']:.1e} | {_frame(r)} | "
            f"{r['mean']:.1e} | {r['top1']:.1%} | {r['top5']:.1%} | {_map(r)} |"
            for r in tree["parity"]
        ),
    ]


def _frame(report: dict[str, Any]) -> str:
    return "no steps" if report["frame"] is None else f"{report['frame']:.1e}"


def _map(report: dict[str, Any]) -> str:
    if report["map"] is None:
        return "not measured"
    return f"{report['map']:.4f} ({report['map_change']:+.4f})"
