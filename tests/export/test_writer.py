import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rigs.training.checkpoints import LABELS, random_checkpoint
from rigs.training.foreign import random_model

from ast_edge.app.config import load_config
from ast_edge.base.errors import AudioError, BundleError, ConfigError
from ast_edge.cli.main import main as edge_main
from ast_edge.detection.tuned import settings_sha256
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.bundle import load_bundle
from ast_edge.model.spec import ModelSpec
from ast_export import parity, writer
from ast_export.cli.main import main as export_main
from ast_export.flops import count_flops
from ast_export.writer import ExportOptions, ParityError, write_bundle
from ast_training.data.labels import label_table
from ast_training.model.checkpoint import Checkpoint
from ast_training.weights.foreign import read_foreign
from ast_training.weights.hf_folder import write_hf_folder
from ast_training.weights.imported import import_ast


@pytest.fixture
def export(checkpoint, audio, graph, monkeypatch):
    """Write a bundle of the graph that was exported before: the exporter is slow."""
    monkeypatch.setattr(writer, "export_graph", lambda model, path, _: shutil.copy(graph, path))

    def export(out, checkpoint=checkpoint, **changes):
        return write_bundle(
            [checkpoint], out, ExportOptions(**{"name": "small", "audio": audio} | changes)
        )

    return export


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_edge_accepts_the_bundle(written, checkpoint):
    bundle = load_bundle(written[0])
    assert (bundle.name, bundle.licence) == ("small", "CC0-1.0")
    assert bundle.labels == LABELS
    assert bundle.members == (checkpoint.model,)
    assert bundle.fbank == checkpoint.fbank


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_the_edge_runs_the_bundle(written, engine):
    bundle = load_bundle(written[0])
    scores = open_engine(bundle, EngineConfig(name=engine)).run(np.zeros((3, 64, 128), np.float32))
    assert scores.clip.shape == (3, 3)
    assert ((scores.clip > 0) & (scores.clip < 1)).all()


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_the_edge_runs_a_bundle_with_frame_scores(framed, engine):
    bundle = load_bundle(framed[0])
    scores = open_engine(bundle, EngineConfig(name=engine)).run(np.zeros((2, 64, 128), np.float32))
    assert (bundle.frame, bundle.clip_gate, scores.frame.shape) == ("head", False, (2, 4, 3))


@pytest.fixture
def warnings_of_export(caplog):
    def texts():
        return [
            r.getMessage()
            for r in caplog.records
            if r.name.startswith("ast_export") and r.levelname == "WARNING"
        ]

    return texts


def test_an_ensemble_with_other_steps_says_that_it_has_no_frame_scores(
    checkpoint, framed_checkpoint, audio, tmp_path, warnings_of_export
):
    members = [framed_checkpoint, checkpoint]
    write_bundle(members, tmp_path / "mixed", ExportOptions("mixed", audio=audio))
    assert load_bundle(tmp_path / "mixed").frame == "none"
    (warning,) = warnings_of_export()
    assert warning.startswith("no frame scores: not all members have a frame head")


def test_a_model_without_frame_scores_needs_no_warning(export, tmp_path, warnings_of_export):
    export(tmp_path / "plain")
    assert load_bundle(tmp_path / "plain").frame == "none"
    assert warnings_of_export() == []


def test_a_curve_is_marked_as_one(checkpoint, audio, tmp_path):
    options = ExportOptions("curve", audio=audio, frame_curve=True)
    write_bundle([checkpoint], tmp_path / "curve", options)
    bundle = load_bundle(tmp_path / "curve")
    assert (bundle.frame, bundle.clip_gate) == ("curve", True)
    assert bundle.outputs["frame"] == (4, 3)
    card = (tmp_path / "curve" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "untrained for that" in card


def test_without_settings_every_label_has_the_default_threshold(written):
    assert {s.on for s in load_bundle(written[0]).settings.values()} == {0.5}


def test_the_bundle_says_where_it_comes_from_and_how_exact_it_is(written):
    tree = json.loads((written[0] / "bundle.json").read_text(encoding="utf-8"))
    assert tree["provenance"]["epochs"] == "3"
    assert [report["engine"] for report in tree["parity"]] == [r.engine for r in written[1]]


def test_a_model_without_metrics_and_recipe_makes_a_bundle_that_claims_nothing(export, tmp_path):
    source = {"imported from": "a.pth", "licence": "BSD-3-Clause"}
    foreign = random_checkpoint(recipe={}, metrics={}, epoch=0, provenance=source)
    export(tmp_path / "foreign", checkpoint=foreign)
    bundle = load_bundle(tmp_path / "foreign")
    assert (bundle.metrics, bundle.licence) == ({}, "BSD-3-Clause")
    tree = json.loads((tmp_path / "foreign" / "bundle.json").read_text(encoding="utf-8"))
    assert tree["provenance"] == source


def test_an_audioset_model_goes_from_hugging_face_to_the_edge(audio, tmp_path, capsys):
    spec = ModelSpec(labels=527, frames=64, width=64, depth=1, heads=1, stride=(16, 16))
    weights = dict(random_model(spec).state_dict())
    ours = Checkpoint(spec, FbankSpec(), label_table("audioset"), weights)
    write_hf_folder(ours, tmp_path / "hf")
    import_ast(read_foreign(tmp_path / "hf"), origin="hf").save(tmp_path / "a.safetensors")
    arguments = [str(tmp_path / "a.safetensors"), "--audio", str(audio)]
    assert export_main(["onnx", *arguments, "--out", str(tmp_path / "audioset")]) == 0
    capsys.readouterr()
    edge = ["tag", "--json", "--bundle", str(tmp_path / "audioset"), str(audio / "hiss.wav")]
    assert edge_main(edge) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert list(scores) == [label.name for label in label_table("audioset")]
    assert len(set(scores.values())) > 100


def test_halved_weights_are_told_by_a_wider_limit(export, tmp_path):
    reports = export(tmp_path / "half", weights="fp16")
    limits = {"fp32": 1e-2, "bf16": 3e-2}
    assert [report.limit for report in reports] == [limits[one.precision] for one in reports]
    size = (tmp_path / "half" / "model.onnx").stat().st_size
    export(tmp_path / "full")
    assert size < 0.7 * (tmp_path / "full" / "model.onnx").stat().st_size


def test_an_older_bundle_is_replaced_and_nothing_else_is_left(export, bundle):
    (bundle / "old.txt").write_text("of the old one")
    export(bundle, checkpoint=random_checkpoint(epoch=4))
    assert json.loads((bundle / "bundle.json").read_text())["provenance"]["epochs"] == "4"
    assert sorted(contents(bundle)) == ["MODEL_CARD.md", "bundle.json", "model.onnx"]
    assert list(bundle.parent.iterdir()) == [bundle]


# Arithmetic of processors


def test_a_graph_that_strays_in_bf16_alone_is_written_to_be_computed_in_fp32(
    export, tmp_path, monkeypatch, caplog
):
    compare = writer.compare

    def straying(*given):
        *others, last = compare(*given)
        return [*others, replace(last, precision="bf16", not_finite=1)]

    monkeypatch.setattr(writer, "compare", straying)
    export(tmp_path / "new")
    assert "too far from the model in bf16: engines will compute in fp32" in caplog.text
    engine = open_engine(load_bundle(tmp_path / "new"), EngineConfig(name="openvino"))
    assert engine.precision == "fp32"


def test_a_graph_that_was_not_compared_in_bf16_is_computed_in_fp32(
    export, tmp_path, monkeypatch, caplog
):
    compare = writer.compare
    monkeypatch.setattr(
        writer,
        "compare",
        lambda *given: [one for one in compare(*given) if one.precision != "bf16"],
    )
    caplog.set_level("INFO")
    export(tmp_path / "new")
    assert "this processor has no bf16" in caplog.text
    assert not load_bundle(tmp_path / "new").bf16


def test_a_graph_that_holds_in_bf16_may_be_computed_in_it(export, tmp_path, monkeypatch):
    compare = writer.compare

    def native(*given):
        first, *_ = compare(*given)
        return [first, replace(first, engine="openvino", precision="bf16")]

    monkeypatch.setattr(writer, "compare", native)
    export(tmp_path / "new")
    assert load_bundle(tmp_path / "new").bf16


# Nothing is written


@pytest.fixture
def strict(monkeypatch):
    """Limits that no engine can keep."""
    monkeypatch.setattr(parity, "LIMITS", dict.fromkeys(parity.LIMITS, -1.0))
    monkeypatch.setattr(parity, "STORAGE_LIMITS", dict.fromkeys(parity.STORAGE_LIMITS, -1.0))


def test_a_graph_beyond_the_limits_is_not_written(export, strict, tmp_path):
    with pytest.raises(ParityError) as caught:
        export(tmp_path / "new")
    assert {report.engine for report in caught.value.reports} == {"onnxruntime", "openvino"}
    assert list(tmp_path.iterdir()) == []


def test_a_graph_beyond_the_limits_leaves_the_older_bundle(export, strict, bundle):
    before = contents(bundle)
    with pytest.raises(ParityError):
        export(bundle, checkpoint=random_checkpoint(epoch=4))
    assert contents(bundle) == before
    assert list(bundle.parent.iterdir()) == [bundle]


def test_without_recordings_the_older_bundle_stays(export, bundle, tmp_path):
    before = contents(bundle)
    with pytest.raises(AudioError, match="expected recordings"):
        export(bundle, audio=tmp_path / "none")
    assert contents(bundle) == before


@pytest.mark.parametrize("name", ["a_file", "a_folder"])
def test_what_is_no_bundle_is_not_replaced(export, tmp_path, name):
    (tmp_path / "a_file").write_text("precious")
    (tmp_path / "a_folder").mkdir()
    (tmp_path / "a_folder" / "thesis.txt").write_text("precious")
    with pytest.raises(BundleError, match="no bundle to replace"):
        export(tmp_path / name)
    assert (tmp_path / "a_file").read_text() == "precious"
    assert (tmp_path / "a_folder" / "thesis.txt").read_text() == "precious"


def test_a_parent_that_is_a_file_is_refused(export, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot be written"):
        export(tmp_path / "file" / "small")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(export, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(BundleError, match="cannot be written"):
        export(tmp_path / "small")


def test_a_file_system_without_room_for_folders_is_refused(export):
    with pytest.raises(BundleError, match="cannot be written"):
        export(Path("/proc/small"))


def test_settings_of_a_configuration_become_the_bundles_own(export, tmp_path):
    config = tmp_path / "tuned.yaml"
    config.write_text(
        "sources: {a: {stdin: s16le}}\nlabels: {Whistle: {on: 0.83, off: 0.4, hold: 2}}\n"
    )
    export(tmp_path / "tuned", settings=config)
    bundle = load_bundle(tmp_path / "tuned")
    found = bundle.settings[bundle.label(LABELS[0].name)]
    assert (found.on, found.off, found.hold) == (0.83, 0.4, 2)
    card = (tmp_path / "tuned" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "thresholds of 1 of 3 labels are those of `tuned.yaml`" in card
    assert "tune`" not in card


def tuned_config(path, **changes):
    """A configuration with settings of two labels, of which one was chosen by `tune`."""
    labels = {"Whistle": {"on": 0.83, "off": 0.4}, "Hum": {"on": 0.6}}
    config = {"sources": {"a": {"stdin": "s16le"}}, "labels": labels}
    path.write_text(json.dumps(config))
    sha256 = settings_sha256(load_config(path).labels, ["Whistle"])
    config["tuned"] = {
        **{"labels": ["Whistle"], "settings": sha256, "model": "f" * 64, "wish": 0.5},
        **{"limit": 0.4, "negative_hours": 12.5, "negative_recordings": 40, "negative_rooms": 30},
        **{"positive_hours": 1.5, "positive_recordings": 90, "events": 333},
        **{"annotations": "a" * 64},
    }
    labels["Whistle"].update(changes)
    path.write_text(json.dumps(config))
    return path


def test_the_card_repeats_on_what_settings_were_chosen(export, tmp_path):
    export(tmp_path / "tuned", settings=tuned_config(tmp_path / "tuned.yaml"))
    card = (tmp_path / "tuned" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert (
        "settings of 1 of 3 labels by `ast-edge tune` for 0.5 false alarms an hour, with the "
        "scores of another, ffffffffffffffff, on 12.5 h without any of them (40 recordings, "
        "of 30 rooms) and 1.5 h with (90 recordings, 333 events, annotations aaaaaaaaaaaaaaaa)"
        in card
    )
    assert "thresholds of 1 of 3 labels are those of `tuned.yaml`" in card
    tree = json.loads((tmp_path / "tuned" / "bundle.json").read_text(encoding="utf-8"))
    assert tree["tuning"]["negative_hours"] == 12.5


def test_the_card_says_that_settings_were_chosen_with_its_own_graph(export, tmp_path):
    export(tmp_path / "plain")
    config = tuned_config(tmp_path / "tuned.yaml")
    config.write_text(config.read_text().replace("f" * 64, load_bundle(tmp_path / "plain").sha256))
    export(tmp_path / "tuned", settings=config)
    card = (tmp_path / "tuned" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "with the scores of this graph" in card


def test_the_card_does_not_claim_for_tune_what_was_changed_by_hand(export, tmp_path):
    export(tmp_path / "tuned", settings=tuned_config(tmp_path / "tuned.yaml", on=0.9))
    card = (tmp_path / "tuned" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "tune`" not in card
    assert "thresholds of 2 of 3 labels are those of `tuned.yaml`" in card


def test_settings_for_a_label_that_is_not_there_are_refused(export, tmp_path):
    config = tmp_path / "tuned.yaml"
    config.write_text("sources: {a: {stdin: s16le}}\nlabels: [Thunder]\n")
    with pytest.raises(ConfigError, match=r"labels\.Thunder: not a label of this model"):
        export(tmp_path / "tuned", settings=config)
    assert not (tmp_path / "tuned").exists()


# Fewer tokens


def test_what_merging_tokens_changes_is_a_line_of_its_own_and_stands_in_the_bundle(merging):
    folder, reports = merging
    tree = json.loads((folder / "bundle.json").read_text())
    first, *engines = tree["parity"]
    assert (first["engine"], first["precision"]) == ("pytorch", "merged")
    assert reports[0].largest == first["largest"]
    assert (
        first["largest"] > 1e-3 > engines[0]["largest"]
    )  # of the model; of what merges as it does
    assert tree["merge_tokens"] == 8
    assert (
        "| Tokens merged | 8 in each block but the last" in (folder / "MODEL_CARD.md").read_text()
    )


def test_a_graph_that_merges_computes_in_int8_as_well(
    merging, square_checkpoint, audio, tmp_path, monkeypatch
):
    graph = merging[0] / "model.onnx"
    monkeypatch.setattr(writer, "export_graph", lambda model, path, _: shutil.copy(graph, path))
    options = ExportOptions("int8", audio=audio, precision="int8", merge_tokens=8)
    reports = write_bundle([square_checkpoint], tmp_path / "int8", options)
    assert all(report.holds for report in reports)
    assert count_flops(tmp_path / "int8" / "model.onnx") == count_flops(graph)


def test_merging_that_costs_too_much_quality_is_not_written(
    merging, square_checkpoint, audio, tmp_path, monkeypatch
):
    graph = merging[0] / "model.onnx"
    monkeypatch.setattr(writer, "export_graph", lambda model, path, _: shutil.copy(graph, path))
    monkeypatch.setattr(parity, "MERGING_MAP_LIMIT", -1.0)
    options = ExportOptions("poor", audio=audio, merge_tokens=8)
    with pytest.raises(ParityError):
        write_bundle([square_checkpoint], tmp_path / "poor", options)
    assert not (tmp_path / "poor").exists()


def test_tokens_that_cannot_be_merged_are_refused_before_any_work(
    framed_checkpoint, audio, tmp_path
):
    options = ExportOptions("steps", audio=audio, merge_tokens=4)
    with pytest.raises(ConfigError, match="scores of steps"):
        write_bundle([framed_checkpoint], tmp_path / "steps", options)
    assert not (tmp_path / "steps").exists()
