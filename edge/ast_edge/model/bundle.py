"""Bundles: what the edge loads, a folder with `bundle.json` and `model.onnx`."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args

from pydantic import TypeAdapter, ValidationError

from ast_edge.base.errors import BundleError
from ast_edge.base.yaml_file import did_you_mean
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.bundle_files import graph_sha256, own_file, verify_files
from ast_edge.model.graph_spec import WHOLE, GraphSpec
from ast_edge.model.installed import installed_bundles
from ast_edge.model.label import Label
from ast_edge.model.label_names import LONGEST_NAME, why_unusable
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.model.own_labels import HEADS_FILE, LARGEST_FILE, Evidence, Heads, read_heads
from ast_edge.model.spec import ModelSpec, same_steps

Precision = Literal["fp32", "fp16", "int8"]
FrameScores = Literal["none", "head", "curve"]

FORMAT = 2
"""Of a bundle whose graph takes fbanks and gives probabilities, as those of `ast-export` do."""
FORMAT_WITH_GRAPH = 3
"""Of one that says how its graph is fed and read (`graph`)."""
FORMAT_WITH_OWN = 4
"""Of one with labels that its graph does not know (`own`); it may say `graph` as well."""
FORMATS = (FORMAT, FORMAT_WITH_GRAPH, FORMAT_WITH_OWN)
EMBEDDINGS = {"clip": "embedding", "frame": "frame_embedding"}
"""What the graph calls the embeddings that belong to scores."""
FRONT_END = "kaldi-fbank"
"""The only front end there is; a bundle that names another is refused."""

LARGEST_DESCRIPTION = 1 << 24
"""Bytes of bundle.json."""
LARGEST_EMBEDDING = 1 << 16
LARGEST_ARRAY = 1 << 24
"""Numbers in a window, and in the front end's filters; those of AST are 131,072 and 32,896."""


@dataclass(frozen=True)
class Bundle:
    """A model that describes itself."""

    folder: Path
    name: str
    fbank: FbankSpec
    members: tuple[ModelSpec, ...]
    """The networks in the graph: one, or those of an ensemble, whose probabilities it averages."""
    labels: tuple[Label, ...]
    """What can be heard: what the graph knows, then own labels."""
    settings: dict[Label, TrackerSettings]
    """How each label becomes events unless the configuration says otherwise."""
    sha256: str
    """Of model.onnx; of all sums together if weights lie beside it."""
    precision: Precision
    """Of the graph's arithmetic; TensorRT keeps to it, an engine for CPUs need not."""
    frame: FrameScores
    """Where the scores of every step come from: there are none, from a head that was trained for
    them, or from the clip's head that reads the patches of a step instead ("curve")."""
    clip_gate: bool
    """A step scores the geometric mean of its own probability and that of its window."""
    metrics: dict[str, Any]
    licence: str
    graph: GraphSpec = WHOLE
    """How the graph is fed and read."""
    embedding: int | None = None
    """Numbers in the embedding that the graph gives of a window, and of each step where it has
    frame scores; None if it gives none."""
    own: Mapping[Label, Evidence] = field(default_factory=dict)
    """Labels that were enrolled, and how well they are found."""
    heads: Heads | None = None
    """What scores them."""
    bf16: bool = True
    """Whether its scores are near enough where a processor computes in bfloat16."""
    embeds: bool = False
    """Whether its engine is to give the embeddings as well, and not only scores."""

    @property
    def onnx(self) -> Path:
        """The graph: input `fbank` (batch, frames, mels), output `clip` (batch, labels).

        With frame scores there is an output `frame` (batch, steps, labels) as well. That is what
        they are called unless `graph` says otherwise. Those of `embedding` are `embedding`
        (batch, width) and `frame_embedding` (batch, steps, width).
        """
        return self.folder / "model.onnx"

    @property
    def key(self) -> Path:
        """What its engine is known by: its folder, and the own labels, which may change in it."""
        if self.heads is None:
            return self.folder
        names = "".join(f"{len(label.name)} {label.name}" for label in self.own)
        return self.folder / hashlib.sha256(f"{self.heads.sha256} {names}".encode()).hexdigest()

    @property
    def scores_sha256(self) -> str:
        """The sum of all that scores depend on: the graph, and the heads of own labels."""
        if self.heads is None:
            return self.sha256
        return hashlib.sha256(f"{self.sha256} {self.heads.sha256}".encode()).hexdigest()

    @property
    def without_own(self) -> "Bundle":
        """The same without own labels: what its graph hears."""
        labels = self.labels[: self.members[0].labels]
        settings = {label: self.settings[label] for label in labels}
        return replace(self, labels=labels, settings=settings, own={}, heads=None)

    @property
    def frames(self) -> int:
        """Length of the window in fbank frames: that of the member with the longest."""
        return max(member.frames for member in self.members)

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """The outputs that are asked of the graph, without the batch, the clip's first."""
        shapes = self._of_each(self.members[0].labels)
        if self.embedding is not None and (self.own or self.embeds):
            of_each = self._of_each(self.embedding)
            shapes |= {EMBEDDINGS[name]: shape for name, shape in of_each.items()}
        return shapes

    @property
    def scores(self) -> dict[str, tuple[int, ...]]:
        """What an engine gives, without the batch: `clip` and, where there are any, `frame`."""
        return self._of_each(len(self.labels))

    def _of_each(self, numbers: int) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {"clip": (numbers,)}
        if self.frame != "none":
            shapes["frame"] = (self.members[0].steps, numbers)
        return shapes

    @property
    def step_seconds(self) -> float:
        """Time from one step of the frame scores to the next."""
        return self.members[0].stride[1] * self.fbank.frame_shift / self.fbank.sample_rate

    @property
    def window_seconds(self) -> float:
        """Length of sound the model looks at."""
        return self.fbank.samples_in(self.frames) / self.fbank.sample_rate

    def find(self, name: str) -> Label | None:
        """Find a label by its display name or slug; None if there is none."""
        # The configuration may spell an accented letter as two characters, or the bundle.
        wanted = unicodedata.normalize("NFC", name)
        for label in self.labels:
            if wanted in (unicodedata.normalize("NFC", label.name), label.slug):
                return label
        return None

    def label(self, name: str) -> Label:
        """Find a label by its display name or slug.

        Raises:
            BundleError: with the nearest match.
        """
        if label := self.find(name):
            return label
        known = [label.name for label in self.labels]
        raise BundleError(f"{name!r} is not a label of {self.name!r}{did_you_mean(name, known)}")


def shipped_bundles() -> dict[str, Path]:
    """Return the folders of the bundles that ship with ast-edge, by name."""
    folder = Path(str(files("ast_edge.model"))) / "bundles"
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/bundle.json"))}


def find_bundle(name: str) -> Path:
    """Return the folder of a bundle that is shipped or installed, or the path itself.

    Raises:
        BundleError: if there is neither, with the nearest match.
    """
    known = installed_bundles() | shipped_bundles()
    if name in known:
        return known[name]
    try:
        if Path(name).is_dir():
            return Path(name)
    except OSError as exc:  # a name that is too long, a folder that may not be searched
        raise BundleError(f"no bundle {name!r}: {exc.strerror}") from exc
    hint = did_you_mean(name, list(known))
    raise BundleError(
        f"no bundle {name!r}: no such folder{hint} (`ast-edge bundle list` has all that are "
        "installed or can be fetched)"
    )


Made = TypeVar("Made")


def load_bundle(folder: Path, *, sums: bool = True) -> Bundle:
    """Read and verify a bundle; without `sums` its large files are not read.

    Raises:
        BundleError: if a file is missing or altered, or the bundle needs another front end.
    """
    path = folder / "bundle.json"
    try:
        tree = _read_tree(path)
        if sums:
            verify_files(folder, tree["files"])
        front_end = dict(tree["fbank"])
        if front_end.pop("kind") != FRONT_END:
            raise BundleError(
                f"{path}: was made for the front end {tree['fbank']['kind']!r}, "
                f"this ast-edge has {FRONT_END!r}"
            )
        bundle = _from_tree(folder, tree, front_end)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as exc:
        raise BundleError(f"{path}: cannot be read: {exc}") from exc
    except KeyError as exc:
        raise BundleError(f"{path}: lacks {exc.args[0]!r}") from exc
    except (TypeError, ValueError, AttributeError) as exc:
        raise BundleError(f"{path}: is malformed: {exc}") from exc
    except RecursionError as exc:
        raise BundleError(f"{path}: is malformed: nested too deeply") from exc
    _check_fit(path, bundle)
    return bundle


def _read_tree(path: Path) -> dict[str, Any]:
    """Read what a bundle says of itself, in a format that is known."""
    if own_file(path.parent, path.name) > LARGEST_DESCRIPTION:
        raise BundleError(f"{path}: is larger than any description, {LARGEST_DESCRIPTION} bytes")
    tree: dict[str, Any] = json.loads(path.read_bytes())
    json.dumps(tree, ensure_ascii=False).encode()  # JSON can hold what could not be sent
    if tree["format"] not in FORMATS:
        older = tree["format"] in range(FORMAT)
        remedy = "export the bundle again" if older else "update ast-edge"
        raise BundleError(
            f"{path}: is format {tree['format']!r}, this ast-edge reads {FORMATS[0]} to "
            f"{FORMATS[-1]}: {remedy}"
        )
    return tree


def _from_tree(folder: Path, tree: dict[str, Any], front_end: dict[str, Any]) -> Bundle:
    own = tree["own"] if tree["format"] == FORMAT_WITH_OWN else []
    entries = [*tree["labels"], *({"mid": ""} | label for label in own)]
    labels = tuple(
        Label(index, str(label["name"]), str(label["mid"])) for index, label in enumerate(entries)
    )
    settings = {
        label: _make(TrackerSettings, entry["settings"], "settings")
        for label, entry in zip(labels, entries, strict=True)
    }
    evidence = {
        label: _make(Evidence, entry["evidence"], f"own.{label.name}.evidence")
        for label, entry in zip(labels[len(tree["labels"]) :], own, strict=True)
    }
    width = tree.get("embedding")
    return Bundle(
        folder=folder,
        name=str(tree["name"]),
        fbank=_make(FbankSpec, front_end, "fbank"),
        members=tuple(
            _make(ModelSpec, {"stem": 0, "yamnet": False} | member, f"members.{number}")
            for number, member in enumerate(tree["members"])
        ),
        labels=labels,
        settings=settings,
        sha256=graph_sha256(tree["files"]),
        precision=cast(Precision, _one_of(get_args(Precision), tree["precision"], "precision")),
        frame=cast(FrameScores, _one_of(get_args(FrameScores), tree["frame"], "frame")),
        clip_gate=_one_of((True, False), tree["clip_gate"], "clip_gate"),
        metrics=dict(tree["metrics"]),
        licence=str(tree["licence"]),
        graph=_graph(tree),
        embedding=None if width is None else _embedding(width),
        own=evidence,
        heads=_heads(folder) if own else None,
        bf16=_one_of((True, False), tree.get("bf16", True), "bf16"),
    )


def _graph(tree: dict[str, Any]) -> GraphSpec:
    said = tree["graph"] if tree["format"] == FORMAT_WITH_GRAPH else tree.get("graph")
    if said is None or tree["format"] == FORMAT:
        return WHOLE
    return _make(GraphSpec, dict(said), "graph")


def _heads(folder: Path) -> Heads:
    if own_file(folder, HEADS_FILE) > LARGEST_FILE:
        raise ValueError(f"{HEADS_FILE}: is larger than any heads, {LARGEST_FILE} bytes")
    return read_heads(folder / HEADS_FILE)


def _embedding(width: object) -> int:
    if type(width) is not int or not 0 < width <= LARGEST_EMBEDDING:
        raise ValueError(f"embedding: expected 1 to {LARGEST_EMBEDDING} numbers, got {width!r:.60}")
    return width


def _one_of(known: tuple[Made, ...], value: Made, where: str) -> Made:
    if value not in known or type(value) is not type(known[0]):  # 1 is True
        expected = " or ".join(map(str, known))
        raise ValueError(f"{where}: expected {expected}, got {value!r:.60}")
    return value


def _make(kind: type[Made], values: dict[str, Any], where: str) -> Made:
    """Make a value from all of its fields: a setting we do not know would be ignored silently."""
    expected = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := values.keys() - expected:
        raise ValueError(f"{where} has the unknown setting {sorted(unknown)[0]!r}")
    if missing := expected - values.keys():
        raise ValueError(f"{where} lacks {sorted(missing)[0]!r}")
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        key = ".".join(str(part) for part in (where, *error["loc"]))
        raise ValueError(f"{key}: {error['msg']}, got {error['input']!r:.60}") from exc


def _check_fit(path: Path, bundle: Bundle) -> None:
    if not bundle.members:
        raise BundleError(f"{path}: has no members: expected one network or more")
    for member in bundle.members:
        if member.mel_bins != bundle.fbank.mel_bins:
            raise BundleError(
                f"{path}: the model reads {member.mel_bins} mel bins, but its front end makes "
                f"{bundle.fbank.mel_bins}: the two do not belong together"
            )
        if member.labels != len(bundle.labels) - len(bundle.own):
            raise BundleError(
                f"{path}: the model has {member.labels} outputs for "
                f"{len(bundle.labels) - len(bundle.own)} labels"
            )
    if bundle.frames * bundle.fbank.mel_bins > LARGEST_ARRAY:
        raise BundleError(f"{path}: a window of {bundle.frames} frames is too long to be computed")
    if bundle.fbank.mel_bins * bundle.fbank.fft_length // 2 > LARGEST_ARRAY:
        raise BundleError(f"{path}: the front end is too large to be computed: {bundle.fbank}")
    if len(bundle.name) > LONGEST_NAME or not bundle.name.isprintable():
        raise BundleError(
            f"{path}: expected a name of at most {LONGEST_NAME} characters that can be printed in "
            f"one line, got {bundle.name!r:.60}"
        )
    if bundle.frame != "none" and not same_steps(bundle.members):
        raise BundleError(
            f"{path}: has frame scores, but its members do not all have a frame head, or not the "
            "same steps in time"
        )
    if bundle.graph != WHOLE and len(bundle.members) != 1:
        raise BundleError(
            f"{path}: expected one member, for its graph leaves a part of the model to ast-edge; "
            f"got {len(bundle.members)}"
        )
    _check_heads(path, bundle)
    if reason := why_unusable(bundle.labels):
        raise BundleError(f"{path}: {reason}")


def _check_heads(path: Path, bundle: Bundle) -> None:
    """Refuse own labels that have no head, or one for another graph."""
    if bundle.heads is None:
        return
    if bundle.embedding is None:
        raise BundleError(f"{path}: has own labels, but no embedding that they could be heard by")
    shape = (len(bundle.own), bundle.embedding + 1)
    for kind in bundle.scores:
        head = getattr(bundle.heads, kind)
        if head is None or head.shape != shape:
            found = "none" if head is None else str(head.shape)
            raise BundleError(f"{path}: expected {kind} heads {shape} of own labels, got {found}")
