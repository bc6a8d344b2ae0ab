"""Model cards: what a bundle is, how good it is, and what one may do with it.

A card states what was measured and what is known. An imported model was trained elsewhere: its card
says where it came from, and claims nothing else.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ast_export.measurements import measured_sections
from ast_training.measure.evidence import FEW
from ast_training.model.checkpoint import Checkpoint
from ast_training.report.description import data_used, facts, interval_text, measured_on

EXPERIMENTAL_AP, FOUND = 0.5, 0.1
"""A label below this average precision, measured on few sources, or of whose events a smaller share
is found, is called experimental."""
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
        "Data": _unique(data_used(recipe) for recipe in recipes.values()),
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
        interval = interval_text(metrics.get("macro_ap_interval"))
        quality = f"**{metrics['macro_ap']:.3f}**{interval} on {measured_on(metrics, recipes)}"
    opening = "An Audio Spectrogram Transformer (Gong et al. 2021)"
    stem = members[0].model.stem or members[0].model.yamnet
    opening += " with a convolutional stem" * bool(stem)
    rows = facts(members[0])
    if several:
        opening = f"An ensemble of {len(members)} Audio Spectrogram Transformers (Gong et al. 2021)"
        rows = {
            f"Member {number}": "; ".join(facts(member).values())
            for number, member in enumerate(members, 1)
        }
    if count := tree.get("merge_tokens"):
        rows["Tokens merged"] = f"{count} in each block but the last, untrained for that"
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
