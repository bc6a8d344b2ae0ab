"""What a bundle says of itself that was made of a published model."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ast_edge.hub.files import LocalFile
from ast_edge.hub.layout import Layout
from ast_edge.model.bundle import FORMAT_WITH_GRAPH, FRONT_END, Precision
from ast_edge.model.graph_spec import GraphSpec
from ast_edge.model.label_settings import TrackerSettings

CHECKED = {
    "pinned": "the sum that was pinned",
    "hub": "the sum that the hub states",
    "cache": "the sum it had when it was fetched",
    "nobody": "no sum: nobody states one",
}
"""How a file is known to be whole."""
UNCALIBRATED = (
    "none: the published model's own probabilities, and thresholds that nobody has tuned; "
    "`ast-edge tune` finds those of a place"
)


def describe(
    name: str,
    layout: Layout,
    graph: GraphSpec,
    precision: Precision,
    files: Mapping[str, LocalFile],
    *,
    origin: str,
    licence: str,
    quality: Mapping[str, Any],
    curve_of: str = "",
) -> dict[str, Any]:
    """Return `bundle.json`; `files` are those of the graph, by their names in the bundle.

    `curve_of` is the sum of the published graph, if scores of steps were added to it.
    """
    settings = asdict(TrackerSettings())
    return {
        "format": FORMAT_WITH_GRAPH,
        "name": name,
        "fbank": {"kind": FRONT_END} | asdict(layout.fbank),
        "members": [replace(layout.model, frame_head=bool(curve_of)).described()],
        "graph": asdict(graph),
        "precision": precision,
        "frame": "curve" if curve_of else "none",
        "clip_gate": bool(curve_of),
        "weights": precision,
        "labels": [
            {"name": label, "mid": mid, "settings": dict(settings)} for label, mid in layout.labels
        ],
        "calibration": UNCALIBRATED,
        "metrics": dict(quality),
        "parity": [],
        "provenance": {
            "from": origin,
            "checked against": "; ".join(
                dict.fromkeys(CHECKED[file.checked] for file in files.values())
            ),
        }
        | ({"graph": f"sha256 {curve_of}, to which ast-edge added a curve"} if curve_of else {}),
        "licence": licence,
        "files": {file: found.sha256 for file, found in sorted(files.items())},
    }


def write_card(tree: Mapping[str, Any]) -> str:
    """Write the model card as Markdown; it claims nothing that was not published."""
    (member,), quality = tree["members"], tree["metrics"]
    labels = tree["labels"]
    known = sum(bool(label["mid"]) for label in labels)
    published = "not known"
    if "published_map" in quality:
        published = f"mAP {quality['published_map']} on {quality['published_on']}"
    seconds = (member["frames"] - 1) * tree["fbank"]["frame_shift_ms"] / 1000
    inside = [] if tree["graph"]["normalises"] else ["normalisation of its input"]
    inside += [] if tree["graph"]["activates"] else [f"the {member['activation']} of its output"]
    rows = {
        "Size": f"width {member['width']}, {member['depth']} blocks",
        "Window": (
            f"{seconds + tree['fbank']['frame_length_ms'] / 1000:.2f} s ({member['frames']} frames)"
        ),
        "Labels": f"{len(labels)}, {known} of them of AudioSet's ontology",
        "Computes in": tree["precision"],
        "Left to ast-edge": " and ".join(inside) or "nothing",
        "Scores of steps": (
            "none: events are placed by whole windows"
            if tree["frame"] == "none"
            else "a curve: its classifier on the patches of each step; nothing was trained for it"
        ),
        "Licence of the weights": tree["licence"],
        "Published quality": f"{published}; not measured here",
    }
    return "\n".join(
        [
            f"# Model card: `{tree['name']}`",
            "",
            f"A published Audio Spectrogram Transformer that hears {len(labels)} sounds, as it was "
            "published. Written by `ast-edge bundle get`.",
            "",
            "| | |",
            "|---|---|",
            *(f"| {key} | {_cell(value)} |" for key, value in rows.items()),
            "",
            "## Limits",
            "",
            "- Not a safety device. It misses events and reports some that are none.",
            f"- Thresholds are {labels[0]['settings']['on']:g} for every label and were tuned for "
            "none: name the labels that matter, and let `ast-edge tune` find theirs.",
            "- It was not compared with the model it was exported from.",
            "",
            "## Provenance",
            "",
            *(f"- {key}: {value}" for key, value in tree["provenance"].items()),
            *(f"- sha256 of {file}: {found}" for file, found in tree["files"].items()),
            "",
        ]
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
