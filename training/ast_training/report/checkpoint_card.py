"""The card of a checkpoint in a repository of the Hugging Face Hub."""

import json
from typing import Any

from ast_training.measure.evidence import FEW
from ast_training.model.checkpoint import Checkpoint
from ast_training.report.description import data_used, facts, interval_text, measured_on

NOT_STATED = "not stated"


def checkpoint_card(checkpoint: Checkpoint, name: str, file: str) -> str:
    """Write the card as Markdown, with what the Hub reads at its head.

    Args:
        checkpoint: what is described.
        name: of the repository, without its owner.
        file: of the checkpoint in it.
    """
    licence = checkpoint.recipe.get("licence") or checkpoint.provenance.get("licence") or NOT_STATED
    metrics = checkpoint.metrics
    table = facts(checkpoint) | {"Licence of the weights": licence}
    if metrics.get("macro_ap") is not None:
        interval = interval_text(metrics.get("macro_ap_interval"))
        sounds = measured_on(metrics, [checkpoint.recipe])
        table["Macro AP"] = f"**{metrics['macro_ap']:.3f}**{interval} on {sounds}"
    lines = [
        *_front_matter(licence),
        f"# {name}",
        "",
        "An Audio Spectrogram Transformer (Gong et al. 2021) that hears "
        f"{len(checkpoint.labels)} sounds. Written by `ast-train push`.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {_cell(value)} |" for key, value in table.items()),
        "",
        "## Use",
        "",
        "A checkpoint of ast-edge, to make a bundle for a device of, or to start another training "
        "from (`init.source`):",
        "",
        "```console",
        f"$ ast-export onnx {file} --audio recordings/ --out bundles/{name}",
        f"$ ast-edge listen --bundle bundles/{name}",
        "```",
        "",
        "## Data",
        "",
        *data_used(checkpoint.recipe),
        "",
        "## Sounds",
        "",
        *_sounds(checkpoint),
        "",
        "## Provenance",
        "",
        *(f"- {key}: {value}" for key, value in checkpoint.provenance.items()),
    ]
    return "\n".join(lines) + "\n"


def _front_matter(licence: str) -> list[str]:
    known = [] if licence == NOT_STATED else ["license: other", f"license_name: {_text(licence)}"]
    return [
        "---",
        *known,
        "library_name: ast-edge",
        "pipeline_tag: audio-classification",
        "tags: [audio-spectrogram-transformer, sound-event-detection]",
        "---",
        "",
    ]


def _sounds(checkpoint: Checkpoint) -> list[str]:
    figures: dict[str, Any] = checkpoint.metrics.get("labels", {})
    if not figures:
        return ["; ".join(label.name for label in checkpoint.labels) + "."]
    lines = ["| label | AP | recordings |", "|---|---|---|"]
    for label in checkpoint.labels:
        quality = figures.get(label.name, {})
        ap, count = quality.get("ap"), quality.get("sources", quality.get("positives", 0))
        few = " (few)" if count < FEW else ""
        shown = "none" if ap is None else f"{ap:.3f}"
        lines.append(f"| {_cell(label.name)} | {shown} | {quality.get('positives', 0)}{few} |")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _text(value: str) -> str:
    """Quote for YAML, whose double-quoted strings are those of JSON."""
    return json.dumps(value, ensure_ascii=False)
