"""Writing bundles: completely or not at all."""

import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ast_edge.base.errors import BundleError, ConfigError
from ast_edge.model.bundle import FrameScores, Precision, load_bundle
from ast_edge.model.spec import same_steps
from ast_export.bundle_folder import check_place, replace_folder, write_json
from ast_export.card import model_card
from ast_export.compression import Storage, compress_weights
from ast_export.description import describe, follow_settings
from ast_export.embedded import add_to_bundle
from ast_export.graph import OPSET, export_graph
from ast_export.measurements import read_evaluation, read_robustness
from ast_export.merged import MergedModel, pytorch_scores, with_curve
from ast_export.parity import Parity, compare, merging_parity
from ast_export.quantization import quantize_products
from ast_export.recordings import audio_windows, labelled_windows
from ast_training.model.checkpoint import Checkpoint
from ast_training.model.token_merging import check_merging

log = logging.getLogger(__name__)


class ParityError(Exception):
    """A graph strays too far from the model; the reports say how far."""

    def __init__(self, reports: list[Parity]) -> None:
        """Keep the reports."""
        super().__init__("the graph does not say what the model says")
        self.reports = reports


@dataclass(frozen=True)
class ExportOptions:
    """How a bundle is made."""

    name: str
    audio: Path | None = None
    """Folder of recordings to compare on."""
    labelled: Path | None = None
    """The same in sub-folders named as labels: the mean average precision is compared as well."""
    precision: Precision = "fp32"
    """Arithmetic of the graph."""
    weights: Storage = "fp32"
    """How the file stores the weights of an fp32 graph."""
    opset: int = OPSET
    merge_tokens: int = 0
    """So many tokens fewer after each block but the last; see `token_merging`."""
    frame_curve: bool = False
    """Frame scores for models without a frame head, see `with_curve`."""
    clip_gate: bool = False
    """Steps score with their window; those of a curve always do."""
    settings: Path | None = None
    """A configuration whose labels say how events are made, instead of the defaults."""
    robustness: Path | None = None
    """What `benchmarks/robustness.py` has measured, for the card."""
    evaluation: Path | None = None
    """What `ast-edge evaluate` has measured, for the card."""
    embedding: bool = False
    """The graph gives embeddings as well, on which `ast-edge enrol` learns own labels."""
    bank: tuple[Path, ...] = ()
    """Folders of recordings that such labels are learnt against; the graph embeds them."""

    def __post_init__(self) -> None:
        if self.precision != "fp32" and self.weights != "fp32":
            raise ConfigError(
                f"--weights {self.weights} is for graphs that compute in fp32; one of --precision "
                f"{self.precision} stores its weights in {self.precision} as it is"
            )
        if bool(self.audio) == bool(self.labelled):
            raise ConfigError("expected recordings to compare on: give --audio or --labelled")


def write_bundle(members: Sequence[Checkpoint], out: Path, options: ExportOptions) -> list[Parity]:
    """Export a model, or the members of an ensemble, to the folder `out`; return the parity.

    The folder appears, or replaces the one that was there, only when the graph has been compared
    with the model on recordings and is within the limits.

    Raises:
        ParityError: if it is not; nothing is written then.
        AudioError: if there are no recordings to compare on, or none can be used.
        BundleError: if `out` is a folder of something else, or cannot be written.
        ConfigError: if the opset is too old, tokens cannot be merged, or a file of measurements is
            none.
    """
    out = out.resolve()
    check_place(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
            folder = Path(scratch) / out.name
            reports = _fill(folder, members, options)
            replace_folder(folder, out)
    except OSError as exc:
        raise BundleError(f"{out}: cannot be written: {exc}") from exc
    return reports


def _fill(folder: Path, members: Sequence[Checkpoint], options: ExportOptions) -> list[Parity]:
    """Write all files of a bundle to a new folder."""
    frames = max(member.model.frames for member in members)
    labels, spec = members[0].labels, members[0].fbank
    if options.frame_curve:
        members = [with_curve(member) for member in members]
    if options.merge_tokens:
        for member in members:  # before minutes of work
            check_merging(member.model, options.merge_tokens)
    frame = _frame_scores(members, curve=options.frame_curve)
    labelled = None
    if options.labelled:
        labelled = labelled_windows(options.labelled, labels, spec, frames)
        windows = labelled.windows
    elif options.audio:
        windows = audio_windows(options.audio, spec, frames)
    folder.mkdir()
    graph = folder / "model.onnx"
    models = [member.build(share=True) for member in members]
    merged = MergedModel(models, options.precision == "fp16", options.merge_tokens)
    export_graph(merged, graph, options.opset)
    del merged, models  # hundreds of megabytes each
    compress_weights(graph, options.weights)
    if options.precision == "int8":
        quantize_products(graph, windows)
    gate = frame == "curve" or (frame == "head" and options.clip_gate)
    tree = describe(
        members, folder, options.name, options.precision, options.weights, frame, clip_gate=gate
    )
    if options.merge_tokens:
        tree["merge_tokens"] = options.merge_tokens
    if options.settings:
        follow_settings(tree, options.settings)
    write_json(folder / "bundle.json", tree)
    if options.embedding or options.bank:
        add_to_bundle(folder, options.bank)
        tree = json.loads((folder / "bundle.json").read_bytes())
    described = load_bundle(folder)
    if options.robustness:
        tree["metrics"] |= read_robustness(options.robustness, described)
    if options.evaluation:
        tree["metrics"] |= read_evaluation(options.evaluation, described)
    write_json(folder / "bundle.json", tree)
    expected = pytorch_scores(members, windows, options.merge_tokens)
    reports = compare(load_bundle(folder), expected, windows, options.weights, labelled)
    if options.merge_tokens:
        reports.insert(0, merging_parity(pytorch_scores(members, windows), expected, labelled))
    failed = {report.precision for report in reports if not report.holds}
    if failed - {"bf16"}:
        raise ParityError(reports)
    if failed:
        log.warning("too far from the model in bf16: engines will compute in fp32")
    elif not any(report.precision == "bf16" for report in reports):
        log.info(
            "this processor has no bf16, so nothing shows how far that is from the model: engines "
            "will compute in fp32 unless they are asked for bf16; export where there is bf16"
        )
    tree["bf16"] = any(report.precision == "bf16" and report.holds for report in reports)
    tree["parity"] = [asdict(report) for report in reports]
    write_json(folder / "bundle.json", tree)
    (folder / "MODEL_CARD.md").write_text(model_card(members, tree), encoding="utf-8")
    return reports


def _frame_scores(members: Sequence[Checkpoint], *, curve: bool) -> FrameScores:
    """Return where frame scores come from; warn if there are none though a member has some."""
    specs = [member.model for member in members]
    if same_steps(specs):
        return "curve" if curve else "head"
    if any(spec.frame_head for spec in specs):
        log.warning(
            "no frame scores: not all members have a frame head with the same window and steps; "
            "events will lie where they were to a hop only"
        )
    return "none"
