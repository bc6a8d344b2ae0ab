"""The whole benchmark, with a tiny model and sounds at known times."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="onnx is not installed")
import quality_curves
from parts.replay import Variant
from parts.result import Result
from parts.scenes import Run, measure, read_scenes, trials_of
from rigs.model import RATE, silence, tone

from ast_edge.detection.hearing import Hearing
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.evaluation.detector import Detector
from ast_edge.evaluation.report import Heard, make_report
from ast_edge.model.bundle import load_bundle
from ast_edge.tuning.tuning import tune

RUN = "frame head"


def write_scenes(folder, faint):
    """A Hum from 1 to 2 s and a Hiss from 3 to 4 s, twice; quiet with a Hum of this loudness."""
    rows = ["filename\tonset\toffset\tevent_label"]
    (folder / "events").mkdir(parents=True)
    for name in ("a.flac", "b.flac"):
        parts = [silence(1), tone("Hum", 1), silence(1), tone("Hiss", 1), silence(2)]
        soundfile.write(folder / "events" / name, np.concatenate(parts), RATE)
        rows += [f"{name}\t1\t2\tHum", f"{name}\t3\t4\tHiss"]
    (folder / "events" / "annotations.tsv").write_text("\n".join(rows) + "\n")
    (folder / "negatives").mkdir()
    for name in ("c.flac", "d.flac"):
        parts = [silence(2), faint * tone("Hum", 1), silence(4)]
        soundfile.write(folder / "negatives" / name, np.concatenate(parts), RATE)
    (folder / "negatives" / "annotations.tsv").write_text(
        f"{rows[0]}\nc.flac\t\t\t\nd.flac\t\t\t\n"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder / "validation", 0.03)
    write_scenes(folder / "test", 0.02)
    return folder


@pytest.fixture(scope="module")
def run(framed_model):
    bundle = load_bundle(framed_model)
    return Run(bundle, open_engine(bundle, EngineConfig(threads=1)), Variant(hop=0.5, latency=1.0))


def test_the_figures_are_those_of_an_evaluation(folder, run):
    scenes = read_scenes(folder / "test", {RUN: run}, [0.25, 0.5], minutes=None)
    figures = measure(scenes, RUN, run.bundle.settings)
    detector = Detector(Hearing(run.bundle, run.bundle.settings, 0.5, 1.0), run.engine)
    paths = [*folder.glob("test/events/*.flac"), *folder.glob("test/negatives/*.flac")]
    heard = [
        Heard(detector.listen(path), scene.truth)
        for path, scene in zip(sorted(paths, key=lambda path: path.name), scenes, strict=True)
    ]
    report = make_report(heard, list(run.bundle.settings), 1.0)
    assert figures.micro_f1 == report.micro("event_500ms").f1
    assert figures.macro_f1 == report.macro_f1("event_500ms")
    assert figures.onsets == report.micro("onset_500ms")
    assert figures.false_alarms == report.false_alarms
    assert figures.in_negatives == report.false_alarms_in_negatives
    assert figures.latencies == pytest.approx(report.latencies)
    assert figures.found == 1.0


def test_false_alarms_are_counted_in_all_negatives(folder, run):
    scenes = read_scenes(folder / "validation", {RUN: run}, [0.25, 0.5], minutes=None)
    trials, pieces = trials_of(scenes, RUN, run.bundle.settings, off_share=0.5, most=10.0)
    assert pieces.hours == pytest.approx(14 / 3600)
    assert max(len(one.peaks) for one in trials[0].scanned) == 2
    assert trials[0].references == 2


def test_a_greater_wish_finds_more(folder, run):
    scenes = read_scenes(folder / "validation", {RUN: run}, [0.25, 0.5], minutes=None)
    trials, pieces = trials_of(scenes, RUN, run.bundle.settings, off_share=0.5, most=500.0)
    tunings = [tune(trials, pieces, wish, lowest=0.2, sure=False) for wish in (1.0, 500.0)]
    found = [
        measure(scenes, RUN, {one.label: one.after for one in tuning.labels}).found
        for tuning in tunings
    ]
    assert found == [0.5, 1.0]


def test_no_more_is_taken_of_each_set_than_asked_for(folder, run):
    scenes = read_scenes(folder / "validation", {RUN: run}, [0.5], minutes=0)
    assert scenes == []


def test_the_result_has_tables_and_curves(folder, framed_model, tmp_path, monkeypatch):
    command = f"quality_curves.py --bundle {framed_model} --also twin={framed_model}"
    command += f" --validation {folder}/validation --test {folder}/test --results {tmp_path}"
    monkeypatch.setattr(sys, "argv", command.split())
    quality_curves.main()
    result = Result.load(tmp_path / "quality.json")
    assert [table.caption for table in result.tables] == [
        "Outputs and false alarms",
        "Latency",
        "Hop",
    ]
    names = {row[0] for row in result.tables[0].rows}
    assert names == {RUN, f"{RUN} and clip gate", "clip scores alone", "twin"}
    assert all(len(row) == len(result.tables[0].columns) for row in result.tables[0].rows)
    assert result.tables[0].note == "0 minutes with 4 events, 0 without."
    assert {plot.caption.split()[-1] for plot in result.plots} == {"alarms", "latency", "hop"}
