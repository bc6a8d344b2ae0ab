from pathlib import Path

import numpy as np
import pytest
import soundfile
from rigs.training.checkpoints import random_checkpoint
from rigs.training.packs import hiss

from ast_edge.engines.agreement import LIMITS
from ast_edge.engines.openvino import shared_core
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.bundle import load_bundle
from ast_export.merged import pytorch_scores
from ast_export.parity import BATCH, MAP_LIMIT, STORAGE_LIMITS, Parity, agreement, compare
from ast_export.recordings import Labelled, audio_windows

DOCS = Path(__file__).parents[2] / "docs"
SPEC = FbankSpec()
RUNS = [("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")]


def compared(folder, checkpoint, windows, labelled=None):
    expected = pytorch_scores([checkpoint], windows)
    return compare(load_bundle(folder), expected, windows, "fp32", labelled)


def test_every_engine_is_compared_and_holds(written):
    _, reports = written
    native = shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    runs = RUNS if "BF16" in native else RUNS[:-1]  # not in fp32 twice
    assert [(report.engine, report.precision) for report in reports] == runs
    assert all(report.holds for report in reports)
    assert all(report.largest <= 1e-5 for report in reports if report.precision == "fp32")
    assert all(report.top1 == 1 for report in reports if report.precision == "fp32")


def test_another_model_than_the_exported_does_not_hold(written, audio):
    other = random_checkpoint()
    other.weights["mlp_head.1.bias"][0] += 0.5
    reports = compared(written[0], other, audio_windows(audio, SPEC, 64))
    assert not any(report.holds for report in reports)


def test_more_windows_than_a_batch_are_all_compared(written, checkpoint, tmp_path):
    soundfile.write(tmp_path / "long.wav", hiss(1, 12.0), 16000)
    windows = audio_windows(tmp_path, SPEC, 64)
    assert len(windows) > BATCH
    windows[-1] = np.nan  # the last window of the last batch
    reports = compared(written[0], checkpoint, windows)
    assert not any(report.holds for report in reports)
    assert all(report.not_finite == 3 for report in reports)


def test_labelled_recordings_show_what_becomes_of_the_map(written, checkpoint, audio):
    windows = audio_windows(audio, SPEC, 64)
    targets = np.eye(len(windows), 3, dtype=bool)
    labelled = Labelled(windows, np.arange(len(windows)), targets)
    reports = compared(written[0], checkpoint, windows, labelled)
    assert all(report.map is not None and abs(report.map_change) <= 1 for report in reports)


def test_frame_scores_are_compared_in_every_engine(framed, written):
    assert all(0 <= report.frame <= report.limit for report in framed[1])
    assert all(report.frame is None for report in written[1])


def test_a_frame_head_other_than_the_exported_does_not_hold(framed, audio):
    other = random_checkpoint(frame_head=True)
    other.weights["frame_head.1.bias"][0] += 0.5
    reports = compared(framed[0], other, audio_windows(audio, SPEC, 64))
    assert all(report.largest <= report.limit < report.frame for report in reports)
    assert not any(report.holds for report in reports)


def test_a_step_without_a_number_does_not_hold(framed, framed_checkpoint, audio):
    windows = audio_windows(audio, SPEC, 64)
    windows[-1] = np.nan
    reports = compared(framed[0], framed_checkpoint, windows)
    assert all(report.not_finite == 3 + 4 * 3 for report in reports)
    assert not any(report.holds for report in reports)


def parity(**changes):
    values = {"largest": 0.0, "mean": 0.0, "top1": 1.0, "top5": 1.0, "not_finite": 0, "limit": 1e-4}
    return Parity("onnxruntime", "fp32", **values | changes)


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({"largest": 1e-4}, True),
        ({"largest": 2e-4}, False),
        ({"largest": float("nan")}, False),
        ({"not_finite": 1}, False),
        ({"frame": 1e-4}, True),
        ({"frame": 2e-4}, False),
        ({"frame": float("nan")}, False),
        ({"map_change": -MAP_LIMIT}, True),
        ({"map_change": 2 * MAP_LIMIT}, False),
        ({"map_change": -2 * MAP_LIMIT}, False),
    ],
)
def test_parity_holds_within_the_limits_and_not_without_a_number(changes, holds):
    assert parity(**changes).holds is holds


def test_agreement_is_the_share_of_first_labels_in_any_order():
    one = np.array([[0.9, 0.8, 0.1, 0.0], [0.9, 0.8, 0.1, 0.0]], np.float32)
    other = np.array([[0.8, 0.9, 0.1, 0.0], [0.9, 0.1, 0.0, 0.8]], np.float32)
    assert agreement(one, other, 1) == 0.5
    assert agreement(one, other, 2) == 0.75


def test_the_limits_are_those_that_the_documents_name():
    arithmetic, stored = (
        {name: f"{limit:.0e}".replace("e-0", "e-") for name, limit in limits.items()}
        for limits in (LIMITS, STORAGE_LIMITS)
    )
    assert stored["fp16"] == arithmetic["fp16"]
    design = " ".join(" ".join(path.read_text() for path in DOCS.glob("design*.md")).split())
    assert (
        f"{arithmetic['fp32']} for fp32, {arithmetic['fp16']} for fp16 or weights stored in it, "
        f"{arithmetic['bf16']} for bf16, {stored['int8']} for weights stored in int8, "
        f"{arithmetic['int8']} for layers that multiply in it; {MAP_LIMIT} of mAP"
    ) in design
    table = (DOCS / "export.md").read_text()
    assert f"| weights stored in int8 | {stored['int8']} |" in table
    assert f"| layers that multiply in int8 | {arithmetic['int8']} |" in table
