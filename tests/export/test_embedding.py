"""Embeddings of a graph that is there already: named, not computed anew."""

import json
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ast_edge.base.errors import BundleError
from ast_edge.cli.main import main as edge_main
from ast_edge.model.bundle import load_bundle, shipped_bundles
from ast_edge.model.bundle_files import BANK_FILE
from ast_export.cli.main import main as export_main
from ast_export.compression import compress_weights
from ast_export.embedded import embed
from ast_export.embedding import add_embeddings
from ast_export.graph import export_graph
from ast_export.merged import MergedModel
from ast_export.quantization import quantize_products

SHAPES = {"clip": (), "frame": (4,)}


def windows(batch=3):
    return np.random.default_rng(batch).normal(-7, 5, (batch, 64, 128)).astype(np.float32)


def run(path, *names):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(list(names), {"fbank": windows()})


@torch.inference_mode()
def expected(checkpoint):
    """Compute by PyTorch what the heads read: (batch, width) and (batch, steps, width)."""
    model = checkpoint.build()
    fbank = (torch.from_numpy(windows()) - model.spec.mean) / (2 * model.spec.std)
    tokens = model.v(fbank, None)
    columns = tokens[:, 2:].reshape(len(tokens), -1, model.spec.steps, model.spec.width)
    return tokens[:, :2].mean(dim=1).numpy(), columns.mean(dim=1).numpy()


@pytest.fixture
def embedded(framed_graph, tmp_path):
    """The graph with embeddings."""
    path = shutil.copy(framed_graph, tmp_path / "model.onnx")
    add_embeddings(path, SHAPES)
    return path


def test_embeddings_are_what_the_heads_of_the_model_read(embedded, framed_checkpoint):
    found = run(embedded, "embedding", "frame_embedding")
    for values, right in zip(found, expected(framed_checkpoint), strict=True):
        assert values == pytest.approx(right, abs=2e-4)


def test_scores_are_the_same_to_the_last_bit(embedded, framed_graph):
    for found, before in zip(
        run(embedded, "clip", "frame"), run(framed_graph, "clip", "frame"), strict=True
    ):
        assert np.array_equal(found, before)


def test_nothing_is_computed_that_was_not_before(embedded, framed_graph):
    kinds = [[node.op_type for node in onnx.load(p).graph.node] for p in (embedded, framed_graph)]
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("storage", ["fp16", "int8"])
def test_weights_that_are_stored_in_few_bits_are_seen_through(
    framed_graph, tmp_path, storage, framed_checkpoint
):
    path = shutil.copy(framed_graph, tmp_path / "model.onnx")
    compress_weights(path, storage)
    add_embeddings(path, SHAPES)
    assert run(path, "embedding")[0] == pytest.approx(expected(framed_checkpoint)[0], abs=0.3)


def test_a_graph_that_computes_in_whole_numbers_has_embeddings_too(framed_graph, tmp_path):
    path = shutil.copy(framed_graph, tmp_path / "model.onnx")
    quantize_products(path, windows(8))
    add_embeddings(path, SHAPES)
    assert run(path, "frame_embedding")[0].shape == (3, 4, 64)


def test_an_ensemble_has_no_one_embedding(checkpoint, tmp_path):
    path = tmp_path / "model.onnx"
    export_graph(MergedModel([checkpoint.build(), checkpoint.build()]), path)
    with pytest.raises(BundleError, match="cannot tell what the head of clip reads"):
        add_embeddings(path, {"clip": ()})


def test_a_graph_that_was_exported_elsewhere_is_refused(tmp_path):
    from rigs.model import make_graph

    onnx.save(make_graph(), tmp_path / "model.onnx")
    with pytest.raises(BundleError, match="exported by ast-export"):
        add_embeddings(tmp_path / "model.onnx", {"clip": ()})


def test_embeddings_are_added_once(embedded):
    with pytest.raises(BundleError, match="has an output embedding already"):
        add_embeddings(embedded, SHAPES)


def test_a_bundle_that_is_there_gets_embeddings_and_keeps_its_scores(framed, tmp_path):
    assert embed(framed[0], tmp_path / "out", ()) == 0.0
    before, after = load_bundle(framed[0]), load_bundle(tmp_path / "out")
    assert (before.embedding, after.embedding) == (None, 64)
    assert after.settings == before.settings


def test_a_bundle_may_be_written_in_its_own_place(bundle, audio):
    embed(bundle, bundle, [audio])
    assert load_bundle(bundle).embedding == 64
    assert json.loads((bundle / "bundle.json").read_bytes())["bank"]["of"] == [audio.name]
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_what_is_no_bundle_is_not_replaced_by_one_with_embeddings(bundle, tmp_path):
    place = tmp_path / "other"
    place.mkdir()
    (place / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match="is no bundle to replace"):
        embed(bundle, place, ())
    assert [path.name for path in place.iterdir()] == ["notes.txt"]


def test_the_command_adds_embeddings_and_a_bank(bundle, audio, tmp_path, capsys):
    out = tmp_path / "out"
    assert export_main(["embedding", str(bundle), "--bank", str(audio), "--out", str(out)]) == 0
    assert "scores moved by 0.0e+00 at most" in capsys.readouterr().out
    assert (out / BANK_FILE).is_file()
    assert edge_main(["bundle", "verify", str(out)]) == 0


def test_the_bundle_that_comes_along_gives_embeddings_and_has_a_bank():
    bundle = load_bundle(shipped_bundles()["home"])
    # Beside the token's what the stem tells the heads: 512 numbers of mn04, 1024 of YAMNet.
    assert bundle.embedding == bundle.members[0].width + 512 + 1024
    assert 10_000 < (bundle.folder / BANK_FILE).stat().st_size < 2_500_000
