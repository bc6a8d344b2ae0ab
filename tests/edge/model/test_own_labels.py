"""Labels that a graph does not know, with heads of their own beside it."""

import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import WIDTH, write_tree
from rigs.own import own_tree, write_own

from ast_edge.base.errors import BundleError
from ast_edge.base.files import file_sha256
from ast_edge.model.bundle import load_bundle
from ast_edge.model.own_labels import HEADS_FILE, Evidence, heads_bytes, normalised, read_heads


@pytest.fixture
def own(embedding_model, tmp_path):
    """A bundle with the own labels Bell and Whistle."""
    return write_own(embedding_model, tmp_path / "own")


def rewrite(folder, content=None, **changes):
    """Change the file of heads, with its sum, or what the description says."""
    tree = json.loads((folder / "bundle.json").read_bytes()) | changes
    if content is not None:
        (folder / HEADS_FILE).write_bytes(content)
        tree["files"][HEADS_FILE] = file_sha256(folder / HEADS_FILE)
    write_tree(folder, tree)
    return folder


def refusal(folder):
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    return str(caught.value)


def test_own_labels_follow_those_of_the_graph(own):
    bundle = load_bundle(own)
    assert [label.name for label in bundle.labels] == ["Hum", "Hiss", "Bell", "Whistle"]
    assert [label.index for label in bundle.own] == [2, 3]
    assert bundle.label("whistle") in bundle.own


def test_an_own_label_says_how_well_it_is_found(own):
    bundle = load_bundle(own)
    assert str(bundle.own[bundle.label("Bell")]) == (
        "found 4 of 5 held-out takes, 0 alarms in 3 h of negatives"
    )


def test_one_take_proves_nothing():
    alone = Evidence(takes=1, held_out=0, found=0, hours=0.5, alarms=1, bank=True)
    assert str(alone) == "one take, so none was held out, 1 alarm in 30 min of the bank"


def test_the_sum_of_the_graph_is_that_of_the_bundle_it_was_derived_from(own, embedding_model):
    assert load_bundle(own).sha256 == load_bundle(embedding_model).sha256


def test_only_who_needs_embeddings_asks_the_graph_for_them(own, embedding_model):
    scores = {"clip": (2,), "frame": (12, 2)}
    embeddings = {"embedding": (WIDTH,), "frame_embedding": (12, WIDTH)}
    assert load_bundle(embedding_model).outputs == scores
    assert load_bundle(own).outputs == scores | embeddings


def test_scores_are_those_of_graph_and_heads(own, embedding_model):
    base, before = load_bundle(embedding_model), load_bundle(own)
    heads = read_heads(own / HEADS_FILE)
    rewrite(own, heads_bytes(heads.clip + 1, heads.frame))
    assert base.scores_sha256 == base.sha256
    assert len({base.sha256, before.scores_sha256, load_bundle(own).scores_sha256}) == 3


def test_two_bundles_with_other_heads_are_not_the_same(own):
    before = load_bundle(own)
    heads = read_heads(own / HEADS_FILE)
    rewrite(own, heads_bytes(heads.clip + 1, heads.frame))
    assert load_bundle(own) != before
    assert load_bundle(own) == load_bundle(own)


def pickled():
    import io

    buffer = io.BytesIO()
    np.savez(buffer, clip=np.array([{"any": "thing"}], dtype=object))
    return buffer.getvalue()


GOOD = np.zeros((2, WIDTH + 1), np.float32)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nothing of the kind",
        pickled(),
        heads_bytes(GOOD, GOOD)[:200],
        heads_bytes(GOOD, None),
        heads_bytes(GOOD[:1], GOOD[:1]),
        heads_bytes(GOOD[:, 1:], GOOD[:, 1:]),
        heads_bytes(GOOD * np.float32(np.nan), GOOD),
        heads_bytes(GOOD.astype(np.float64), GOOD),
    ],
    ids=["empty", "other", "pickle", "cut", "no frame", "few", "narrow", "nan", "float64"],
)
def test_heads_that_cannot_be_are_refused(own, content):
    refusal(rewrite(own, content))


def test_heads_that_were_changed_are_refused(own):
    (own / HEADS_FILE).write_bytes(heads_bytes(GOOD, GOOD))
    assert "is damaged or was changed" in refusal(own)


def test_missing_heads_are_refused(own):
    (own / HEADS_FILE).unlink()
    assert HEADS_FILE in refusal(own)


def test_own_labels_of_a_graph_without_embeddings_are_refused(own, framed_model):
    tree = json.loads((framed_model / "bundle.json").read_bytes())
    shutil.copyfile(framed_model / "model.onnx", own / "model.onnx")
    tree["files"][HEADS_FILE] = file_sha256(own / HEADS_FILE)
    write_tree(own, tree | {"format": 4, "own": own_tree()})
    assert "no embedding" in refusal(own)


@pytest.mark.parametrize("width", [0, -1, 1.5, "192", True, 1 << 40])
def test_an_embedding_of_no_width_is_refused(own, width):
    assert "embedding: expected 1 to" in refusal(rewrite(own, embedding=width))


@pytest.mark.parametrize(
    "change", [{"found": 6}, {"takes": 0}, {"hours": -1}, {"alarms": "few"}, {"more": 1}]
)
def test_evidence_that_cannot_be_is_refused(own, change):
    tree = own_tree()
    tree[0]["evidence"] |= change
    assert "own.Bell.evidence" in refusal(rewrite(own, own=tree)) or "expected" in refusal(own)


def test_an_own_label_with_the_name_of_another_is_refused(own):
    tree = own_tree()
    tree[0]["name"] = "Hum"
    assert "the same topic name" in refusal(rewrite(own, own=tree))


def test_embeddings_are_brought_to_one_scale():
    rows = normalised(np.random.default_rng(0).normal(5, 3, (4, 2, 50)).astype(np.float32))
    assert rows.mean(axis=-1) == pytest.approx(0, abs=1e-5)
    assert rows.std(axis=-1) == pytest.approx(1, abs=1e-4)


def test_an_embedding_without_any_difference_stays_finite():
    assert np.isfinite(normalised(np.full((1, 8), 3.0, np.float32))).all()


def test_evidence_survives_the_file(own):
    evidence = Evidence(takes=5, held_out=5, found=4, hours=3.0, alarms=0, bank=False)
    assert asdict(evidence) == own_tree()[0]["evidence"]
