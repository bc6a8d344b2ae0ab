"""Bundles as `ast-edge bundle` prints them."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from ast_edge.base.errors import BundleError
from ast_edge.base.printable import printable
from ast_edge.hub.description import UNCALIBRATED
from ast_edge.hub.known import KNOWN
from ast_edge.model.bundle import Bundle, load_bundle, shipped_bundles
from ast_edge.model.bundle_files import BANK_FILE
from ast_edge.model.installed import installed_bundles

LABELS_SHOWN = 40
_CARD_LINES = 40


def print_line(console: Console, key: str, text: str) -> None:
    """Print a line with its key; further lines of it stand below."""
    first, *others = text.split("\n")
    console.print(f"[bold]{key:8}[/]{escape(printable(first))}", soft_wrap=True)
    for line in others:
        console.print(f"{'':8}{escape(printable(line))}", soft_wrap=True)


def summary(bundle: Bundle) -> str:
    """Say in one line what a bundle is."""
    return (
        f"{len(bundle.labels)} labels, {bundle.window_seconds:.2f} s window, {bundle.precision}, "
        f"{size(bundle.folder)}, {bundle.licence}"
    )


def size(folder: Path) -> str:
    """Return how large a folder's files are."""
    total = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return f"{total / 1e6:.1f} MB"


def print_list(console: Console) -> None:
    """Print all bundles that are here, then those that can be fetched by name."""
    shipped = shipped_bundles()
    for name, folder in (shipped | installed_bundles() | shipped).items():
        where = "shipped" if name in shipped else str(folder)
        try:
            text = summary(load_bundle(folder, sums=False))
        except (BundleError, OSError) as exc:
            text = f"cannot be used: {exc}"
        print_line(console, f"{name}  ", f"{text} ({where})")
    for name, known in KNOWN.items():
        sizes = ", ".join(f"{mb} MB {precision}" for precision, mb in known.megabytes.items())
        console.print()
        print_line(console, f"{name}  ", f"{known.about}\n{known.licence}\n{known.cost}")
        print_line(console, "", f"ast-edge bundle get {name}   (downloads {sizes})")


def print_bundle(console: Console, bundle: Bundle) -> None:
    """Print what a bundle says of itself."""
    tree = _tree(bundle.folder)
    front = bundle.fbank
    print_line(console, "bundle", f"{bundle.name}: {summary(bundle)}")
    print_line(console, "folder", str(bundle.folder))
    print_line(
        console,
        "hears",
        f"{front.sample_rate} Hz, {front.mel_bins} mel bins, every {front.frame_shift_ms:g} ms; "
        f"{bundle.frames} frames at once",
    )
    for member in bundle.members:
        print_line(
            console,
            "network",
            f"width {member.width}, {member.depth} blocks, patches of {member.patch[0]} mel bins "
            f"by {member.patch[1]} frames",
        )
    frame = {
        "none": "of whole windows only",
        "head": f"also of steps of {bundle.step_seconds:g} s",
        "curve": f"also a curve in steps of {bundle.step_seconds:g} s",
    }
    print_line(console, "scores", frame[bundle.frame])
    for label, evidence in bundle.own.items():
        print_line(console, "own", f"{label.name}: {evidence}")
    print_line(console, "enrol", _enrolment(bundle))
    print_line(console, "tuned", str(tree.get("calibration", "not stated")))
    for key, value in _items(tree.get("provenance")):
        print_line(console, "origin", f"{key}: {value}")
    names = [label.name for label in bundle.labels]
    more = len(names) - LABELS_SHOWN
    others = f"; and {more} others (bundle.json)" if more > 0 else ""
    print_line(console, "labels", "; ".join(names[:LABELS_SHOWN]) + others)
    _print_card(console, bundle.folder)


def _enrolment(bundle: Bundle) -> str:
    """Say whether own sounds can be added."""
    if bundle.embedding is None:
        return "not possible: its graph gives no embeddings"
    bank = (bundle.folder / BANK_FILE).is_file()
    against = "its bank or your own recordings" if bank else "your own recordings (no bank)"
    return f"own sounds on embeddings of {bundle.embedding} numbers, against {against}"


def _print_card(console: Console, folder: Path) -> None:
    """Print the head of the model card: what stands before its first section."""
    try:
        text = (folder / "MODEL_CARD.md").read_text("utf-8", errors="replace")
    except OSError:
        return
    head = text.partition("\n## ")[0].strip().splitlines()
    print_line(console, "card", "\n".join(head[:_CARD_LINES]))


def is_tuned(folder: Path) -> bool:
    """Tell whether anybody may have tuned the thresholds; of published models nobody has."""
    return _tree(folder).get("calibration") != UNCALIBRATED


def parity_lines(folder: Path) -> list[str]:
    """Say how near the graph is to the model it was exported from, as far as that was measured."""
    reports = _tree(folder).get("parity")
    if not isinstance(reports, list) or not reports:
        return ["not measured: the graph is as it was published"]
    return [
        f"{report.get('engine')} {report.get('precision')}: largest difference "
        f"{report.get('largest')}"
        for report in reports
        if isinstance(report, dict)
    ]


def _tree(folder: Path) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads((folder / "bundle.json").read_bytes())
    return tree


def _items(tree: object) -> list[tuple[str, str]]:
    return [(str(k), str(v)) for k, v in tree.items()] if isinstance(tree, dict) else []
