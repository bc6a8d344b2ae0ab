"""Bundles with own labels, derived from others: the same graph, and heads beside it."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import BundleError
from ast_edge.base.files import file_sha256, replace_folder
from ast_edge.base.yaml_file import did_you_mean
from ast_edge.enrolment.errors import EnrolmentError
from ast_edge.enrolment.margin import HeadPair
from ast_edge.model.bundle import FORMAT, FORMAT_WITH_GRAPH, FORMAT_WITH_OWN, Bundle, load_bundle
from ast_edge.model.label import Label
from ast_edge.model.label_names import LONGEST_NAME, why_unusable
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.model.own_labels import HEADS_FILE, Evidence, heads_bytes

DESCRIPTION = "bundle.json"


@dataclass(frozen=True, eq=False)
class OwnLabel:
    """A label that was enrolled, as it stands in a bundle."""

    name: str
    settings: TrackerSettings
    evidence: Evidence
    heads: HeadPair


def own_labels(bundle: Bundle) -> list[OwnLabel]:
    """Return the own labels of a bundle, in the order of their columns."""
    heads = bundle.heads
    if heads is None:
        return []
    return [
        OwnLabel(
            label.name,
            bundle.settings[label],
            evidence,
            HeadPair(heads.clip[row], None if heads.frame is None else heads.frame[row]),
        )
        for row, (label, evidence) in enumerate(bundle.own.items())
    ]


def check_name(bundle: Bundle, name: str, instead_of: Label | None = None) -> None:
    """Refuse a name that a label cannot have, or that another has than the one it is to replace.

    Raises:
        EnrolmentError: with what to do.
    """
    if reason := why_unusable([Label(0, name, "")]):
        raise EnrolmentError(reason)
    slug = Label(0, name, "").slug
    for label in bundle.labels:
        if slug == label.slug and label != instead_of:
            own = label in bundle.own
            what = "was enrolled already" if own else f"is what {bundle.name!r} hears by itself"
            remedy = "remove it first (--remove)" if own else 'call yours "… (mine)"'
            raise EnrolmentError(f"{label.name!r} {what}: choose another name, or {remedy}")


def find_own(bundle: Bundle, name: str) -> Label:
    """Return the own label of this name or slug.

    Raises:
        EnrolmentError: if there is none, with the nearest match.
    """
    label = bundle.find(name)
    if label in bundle.own and label is not None:
        return label
    if label is not None:
        raise EnrolmentError(f"{label.name!r} was not enrolled: the graph itself hears it")
    known = [own.name for own in bundle.own]
    if not known:
        raise EnrolmentError(f"{bundle.folder}: has no own labels")
    raise EnrolmentError(f"{name!r} was not enrolled{did_you_mean(name, known)}")


def write_derived(base: Bundle, out: Path, labels: Sequence[OwnLabel]) -> Bundle:
    """Write a bundle with these own labels and the graph of `base`; `out` may be `base` itself.

    It appears, or takes the place of the one that was there, only when it is whole.

    Raises:
        EnrolmentError: if `out` is something else, or has another graph.
        BundleError: if it cannot be written.
    """
    out = out.resolve()
    check_place(base, out)
    with _scratch(out) as scratch:
        folder = scratch / out.name
        folder.mkdir()
        _fill(folder, base, labels)
        load_bundle(folder)
        replace_folder(folder, out, scratch / "old")
    return load_bundle(out, sums=False)


@contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """Make a folder beside `out`, which is gone at the end.

    Raises:
        BundleError: if nothing can be written there.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name[:40]}-", dir=out.parent) as scratch:
            yield Path(scratch)
    except OSError as exc:
        raise BundleError(f"{out}: cannot be written: {exc.strerror or exc}") from exc


def check_place(base: Bundle, out: Path) -> None:
    """Refuse to write where something else is, or nothing can be.

    Raises:
        EnrolmentError: if something else is there, or a bundle cannot be called so.
        BundleError: if it cannot be written.
    """
    out = out.resolve()
    if len(out.name) > LONGEST_NAME or not out.name.isprintable():
        raise EnrolmentError(
            f"{str(out)!r}: a bundle is called as its folder: expected a name of at most "
            f"{LONGEST_NAME} characters that can be printed in one line"
        )
    with _scratch(out):
        pass
    if not out.exists() or out == base.folder.resolve():
        return
    if not (out / DESCRIPTION).is_file():
        raise EnrolmentError(f"{out}: exists and is no bundle to add to; choose a new folder")
    raise EnrolmentError(
        f"{out}: is a bundle already: leave out --bundle to add to it, or choose a new folder"
    )


def _fill(folder: Path, base: Bundle, labels: Sequence[OwnLabel]) -> None:
    tree: dict[str, Any] = json.loads((base.folder / DESCRIPTION).read_bytes())
    for path in sorted(base.folder.iterdir()):
        if path.is_file() and path.name not in (DESCRIPTION, HEADS_FILE):
            # No link: whoever updates the other bundle may write into its files.
            shutil.copyfile(path, folder / path.name)
    tree["name"] = folder.name
    sums = {name: sha256 for name, sha256 in tree["files"].items() if name != HEADS_FILE}
    tree["derived_from"] = tree.get("derived_from", base.name)
    if labels:
        (folder / HEADS_FILE).write_bytes(heads_bytes(*_stacked(labels)))
        sums[HEADS_FILE] = file_sha256(folder / HEADS_FILE)
        tree["format"] = FORMAT_WITH_OWN
        tree["own"] = [
            {
                "name": label.name,
                "settings": asdict(label.settings),
                "evidence": asdict(label.evidence),
            }
            for label in labels
        ]
    else:
        tree.pop("own", None)
        tree["format"] = FORMAT_WITH_GRAPH if "graph" in tree else FORMAT
    tree["files"] = sums
    text = json.dumps(tree, indent=1, ensure_ascii=False) + "\n"
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")


def _stacked(
    labels: Sequence[OwnLabel],
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    clip = np.stack([label.heads.clip for label in labels])
    frames = [label.heads.frame for label in labels if label.heads.frame is not None]
    return clip, np.stack(frames) if frames else None
