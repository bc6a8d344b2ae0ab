"""Models that do not fit are refused by what their configuration says."""

import json

import pytest

pytest.importorskip("onnx", reason="onnx is not installed")

from ast_edge.base.errors import BundleError
from ast_edge.hub.layout import read_licence
from ast_edge.model.installed import installed_bundles


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "wav2vec2"}, "expected a classifier .* of 'wav2vec2'"),
        ({"architectures": ["ASTModel"]}, r"expected a classifier .* got \['ASTModel'\] of"),
        ({"architectures": 1}, "expected a classifier .* got 1 of"),
        ({"num_mel_bins": 64}, "the two do not belong together"),
        ({"max_length": 128}, "the two do not belong together"),
        ({"id2label": {}}, "expected the names of the labels"),
        ({"id2label": {"0": "a", "2": "b"}}, "expected names for 0 to 1"),
        ({"id2label": {"0": "a", "1": "b"}}, r"expected one output logits \(any, 2\)"),
        ({"id2label": dict(enumerate("aabcd"))}, "the same topic name"),
        ({"hidden_size": 33}, "not those of an AST"),
        ({"patch_size": "16"}, "patch_size: expected a whole number"),
        ({"max_length": 1 << 30}, "max_length: expected a whole number"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_a_model_that_does_not_fit_is_refused(get, changes, message):
    with pytest.raises(BundleError, match=message):
        get(**changes)
    assert not installed_bundles()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"feature_extractor_type": "WhisperFeatureExtractor"}, "expected the front end"),
        ({"std": 0}, "std must be positive"),
        ({"mean": float("nan")}, "mean: expected a number"),
        ({"num_mel_bins": 64}, "the two do not belong together"),
        ({"do_normalize": "no"}, "expected true or false"),
    ],
    ids=str,
)
def test_a_front_end_that_does_not_fit_is_refused(get, hub, changes, message):
    extractor = json.loads(hub.files["preprocessor_config.json"]) | changes
    hub.files["preprocessor_config.json"] = json.dumps(extractor).encode()
    with pytest.raises(BundleError, match=message):
        get()


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"[" * 100_000], ids=str)
def test_what_is_no_json_object_is_refused(get, hub, file, content):
    hub.files[file] = content
    with pytest.raises(BundleError, match=f"{file}: "):
        get()


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: bsd-3-clause\ntags:\n- audio\n---\n# A", "bsd-3-clause"),
        ("---\r\nlicense: mit\r\n---\r\n", "mit"),
        ("# A\nlicense: mit\n", ""),
        ("---\nlicense:\n- mit\n---\n", ""),
        ("---\nlicense: \x1b[2J\n---\n", ""),
    ],
)
def test_the_licence_is_that_of_the_head_of_the_readme(card, licence):
    assert read_licence(card) == licence
