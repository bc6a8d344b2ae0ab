import json
import os
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ast_edge.base.errors import BundleError
from ast_edge.base.files import file_sha256
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.bundle import FORMAT, FORMAT_WITH_OWN, find_bundle, load_bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings


def read_tree(folder):
    return json.loads((folder / "bundle.json").read_text())


def refusal(folder, tree=None):
    """Return why the bundle is refused; `tree` replaces its bundle.json."""
    if tree is not None:
        (folder / "bundle.json").write_text(json.dumps(tree))
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert caught.value.exit_code == 65
    return str(caught.value)


def altered(folder, *path, value):
    """Return bundle.json with one value set."""
    tree = read_tree(folder)
    place = tree
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return tree


def test_a_bundle_says_everything_about_itself(tiny_model):
    bundle = load_bundle(tiny_model)
    assert bundle.name == "bands"
    assert bundle.fbank == FbankSpec()
    assert bundle.members[0].patch == (16, 16)
    assert bundle.labels == (Label(0, "Hum", ""), Label(1, "Hiss", ""))
    assert bundle.settings[bundle.labels[1]] == TrackerSettings(hold=0.5)
    assert bundle.sha256 == file_sha256(bundle.onnx)
    assert bundle.window_seconds == pytest.approx(0.995)


def test_settings_that_are_not_in_the_file_are_refused(model_folder):
    tree = read_tree(model_folder)
    del tree["labels"][0]["settings"]["hold"]
    assert "settings lacks 'hold'" in refusal(model_folder, tree)


@pytest.mark.parametrize("name", ["Hiss", "hiss"])
def test_a_label_is_found_by_its_name_and_its_slug(tiny_model, name):
    assert load_bundle(tiny_model).label(name).index == 1


def test_an_unknown_label_is_refused_with_the_nearest_one(tiny_model):
    with pytest.raises(BundleError, match="'His' is not a label of 'bands', did you mean 'Hiss'"):
        load_bundle(tiny_model).label("His")


def test_a_label_far_from_all_is_refused_with_the_list(tiny_model):
    with pytest.raises(BundleError, match="known are 'Hum', 'Hiss'"):
        load_bundle(tiny_model).label("Elephant")


def test_a_bundle_is_found_by_its_folder(tiny_model):
    assert find_bundle(str(tiny_model)) == tiny_model


@pytest.mark.parametrize("name", ["nowhere/at/all", "hom", "x" * 5000, "a\0b"])
def test_a_bundle_that_is_nowhere_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match="no bundle"):
        find_bundle(name)


def test_an_altered_graph_is_refused(model_folder):
    with (model_folder / "model.onnx").open("ab") as file:
        file.write(b"!")
    message = refusal(model_folder)
    assert "is damaged or was changed: expected sha256" in message
    assert "install the bundle again" in message


@pytest.mark.parametrize("name", ["bundle.json", "model.onnx"])
def test_a_missing_file_is_refused(model_folder, name):
    (model_folder / name).unlink()
    message = refusal(model_folder)
    assert "cannot be read" in message
    assert name in message


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert "No such file or directory" in refusal(tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\0\x80", b"null", b"[]", b'"x"', b"3"])
def test_what_is_no_json_object_is_refused(model_folder, content):
    (model_folder / "bundle.json").write_bytes(content)
    refusal(model_folder)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": ' * 100_000])
def test_huge_nesting_is_refused(model_folder, text):
    (model_folder / "bundle.json").write_text(text)
    refusal(model_folder)


def test_a_newer_format_is_refused(model_folder):
    tree = altered(model_folder, "format", value=FORMAT_WITH_OWN + 1)
    assert "this ast-edge reads 2 to 4: update ast-edge" in refusal(model_folder, tree)


def test_a_bundle_says_what_its_graph_answers(tiny_model, framed_model):
    assert load_bundle(tiny_model).outputs == {"clip": (2,)}
    assert load_bundle(framed_model).outputs == {"clip": (2,), "frame": (12, 2)}
    assert load_bundle(framed_model).step_seconds == pytest.approx(0.08)


def test_frame_scores_of_an_unknown_kind_are_refused(model_folder):
    tree = altered(model_folder, "frame", value="maybe")
    assert "frame: expected none or head or curve, got 'maybe'" in refusal(model_folder, tree)


def test_a_bundle_that_says_nothing_of_a_stem_and_of_bf16_is_one_from_before_them(tiny_model):
    bundle = load_bundle(tiny_model)
    assert (bundle.members[0].stem, bundle.bf16) == (0, True)


@pytest.mark.parametrize("key", ["clip_gate", "bf16"])
@pytest.mark.parametrize("value", ["yes", 1, None])
def test_what_is_neither_true_nor_false_is_refused(model_folder, key, value):
    tree = altered(model_folder, key, value=value)
    assert f"{key}: expected True or False, got" in refusal(model_folder, tree)


def test_frame_scores_without_a_frame_head_are_refused(model_folder):
    tree = altered(model_folder, "frame", value="head")
    assert "its members do not all have a frame head" in refusal(model_folder, tree)


def test_an_older_format_is_refused(model_folder):
    tree = altered(model_folder, "format", value=FORMAT - 1)
    assert "this ast-edge reads 2 to 4: export the bundle again" in refusal(model_folder, tree)


@pytest.mark.parametrize(
    "key",
    ["format", "name", "fbank", "members", "precision", "labels", "metrics", "licence", "files"],
)
def test_a_missing_key_is_named(model_folder, key):
    tree = read_tree(model_folder)
    del tree[key]
    assert f"lacks {key!r}" in refusal(model_folder, tree)


def test_a_name_that_could_not_be_sent_is_refused(model_folder):
    tree = altered(model_folder, "labels", 0, "name", value="Hum\ud800")
    assert "is malformed: 'utf-8' codec can't encode" in refusal(model_folder, tree)


def test_another_front_end_is_refused(model_folder):
    tree = altered(model_folder, "fbank", "kind", value="librosa-mel")
    message = refusal(model_folder, tree)
    assert "was made for the front end 'librosa-mel', this ast-edge has 'kaldi-fbank'" in message


@pytest.mark.parametrize("section", [("fbank",), ("members", 0)])
def test_an_unknown_setting_is_refused(model_folder, section):
    tree = altered(model_folder, *section, "dither", value=1.0)
    where = ".".join(map(str, section))
    assert f"{where} has the unknown setting 'dither'" in refusal(model_folder, tree)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("fbank", "sample_rate"), "fast", "fbank.sample_rate: .*got 'fast'"),
        (("fbank", "sample_rate"), 16000.5, "fbank.sample_rate: "),
        (("fbank", "frame_length_ms"), float("inf"), "at most a second"),
        (("fbank", "window"), "kaiser", "fbank.window: "),
        (("members", 0, "patch"), [16], "members.0.patch"),
        (("members", 0, "patch"), "ab", "members.0.patch"),
        (("members", 0, "stride"), [0, 0], "all sizes must be positive"),
        (("members", 0, "heads"), 0, "all sizes must be positive"),
        (("members", 0, "labels"), None, "members.0.labels: .*got None"),
        (("labels", 0, "settings", "on"), 0.1, "expected 0 <= off <= on"),
        (("labels", 0, "settings", "hold"), float("nan"), "must not be negative"),
        (("labels", 0), "Hum", "is malformed"),
        (("files",), ["model.onnx"], "is malformed"),
        (("files", "model.onnx"), 7, "is malformed"),
        (("metrics",), None, "is malformed"),
        (("precision",), "f16", "precision: expected fp32 or fp16 or int8, got 'f16'"),
    ],
)
def test_a_value_that_cannot_be_is_refused(model_folder, path, value, message):
    found = refusal(model_folder, altered(model_folder, *path, value=value))
    assert re.search(message, found), found


def test_mel_bins_that_do_not_fit_are_refused(model_folder):
    tree = altered(model_folder, "fbank", "mel_bins", value=64)
    message = refusal(model_folder, tree)
    assert "the model reads 128 mel bins, but its front end makes 64" in message


def test_a_wrong_count_of_labels_is_refused(model_folder):
    tree = altered(model_folder, "members", 0, "labels", value=3)
    assert "the model has 3 outputs for 2 labels" in refusal(model_folder, tree)


def test_a_bundle_without_members_is_refused(model_folder):
    assert "has no members" in refusal(model_folder, altered(model_folder, "members", value=[]))


def test_the_window_is_that_of_the_longest_member(model_folder):
    tree = read_tree(model_folder)
    longer = tree["members"][0] | {"frames": 2 * tree["members"][0]["frames"]}
    tree = altered(model_folder, "members", value=[*tree["members"], longer])
    (model_folder / "bundle.json").write_text(json.dumps(tree))
    assert load_bundle(model_folder).frames == longer["frames"]


def test_other_weights_beside_the_same_graph_make_another_sum(model_folder):
    sums = set()
    for weights in (b"one", b"other"):
        (model_folder / "model.onnx.data").write_bytes(weights)
        tree = altered(
            model_folder,
            "files",
            "model.onnx.data",
            value=file_sha256(model_folder / "model.onnx.data"),
        )
        (model_folder / "bundle.json").write_text(json.dumps(tree))
        sums.add(load_bundle(model_folder).sha256)
    assert len(sums) == 2


def test_a_description_may_begin_with_a_byte_order_mark(model_folder):
    text = (model_folder / "bundle.json").read_text("utf-8")
    (model_folder / "bundle.json").write_text(text, "utf-8-sig")
    load_bundle(model_folder)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_accented_letter_may_be_one_character_or_two(model_folder, form):
    name = unicodedata.normalize(form, "Türklingel")
    tree = altered(model_folder, "labels", 1, "name", value=name)
    (model_folder / "bundle.json").write_text(json.dumps(tree))
    bundle = load_bundle(model_folder)
    for asked in ("NFC", "NFD"):
        assert bundle.label(unicodedata.normalize(asked, "Türklingel")).index == 1


def test_labels_with_one_topic_name_are_refused(model_folder):
    tree = altered(model_folder, "labels", 1, "name", value="hum!")
    assert "two labels have the same topic name" in refusal(model_folder, tree)


def test_a_label_without_a_topic_name_is_refused(model_folder):
    tree = altered(model_folder, "labels", 1, "name", value="🐶")
    assert "no topic name can be made of the label '🐶'" in refusal(model_folder, tree)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "a/b", "..", ".", ""])
def test_files_outside_the_folder_are_not_read(model_folder, name):
    tree = read_tree(model_folder)
    tree["files"][name] = tree["files"]["model.onnx"]
    refusal(model_folder, tree)


def test_a_link_out_of_the_folder_is_refused(model_folder, tmp_path):
    (model_folder / "model.onnx").rename(tmp_path / "elsewhere.onnx")
    (model_folder / "model.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(BundleError, match=r"model\.onnx: is a link that leads out of the folder"):
        load_bundle(model_folder)


@pytest.mark.parametrize("name", ["bundle.json", "model.onnx"])
def test_what_could_be_read_for_ever_is_refused(model_folder, name):
    (model_folder / name).unlink()
    os.mkfifo(model_folder / name)
    with pytest.raises(BundleError, match="expected a file, got something else"):
        load_bundle(model_folder)


def test_a_description_without_end_is_not_read(model_folder):
    with (model_folder / "bundle.json").open("ab") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    with pytest.raises(BundleError, match="is larger than any description"):
        load_bundle(model_folder)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "sub/weights", "weights.bin"])
def test_weights_that_are_no_file_of_the_bundle_are_refused(model_folder, location):
    pytest.importorskip("onnx", reason="onnx is not installed")
    from rigs.model import external_graph, make_tree, write_tree

    (model_folder / "weights.bin").write_bytes(bytes(1024))
    (model_folder / "model.onnx").write_bytes(external_graph(location))
    write_tree(model_folder, make_tree(model_folder))
    with pytest.raises(BundleError, match=r"takes weights from .* none of the bundle's files"):
        load_bundle(model_folder)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("members", 0, "frames"), 1_000_000_000, "too long to be computed"),
        (("fbank", "sample_rate"), 384_000, "too large to be computed"),
        (("name",), "bands\n<3>kernel: panic", "printed in one line"),
        (("labels", 0, "name"), "Hum\x1b]0;owned\x07", "printed in one line"),
        (("labels", 0, "mid"), "m" * 1000, "printed in one line"),
        (("labels", 0, "settings", "hold"), float("inf"), "must not be negative or infinite"),
    ],
)
def test_what_would_harm_later_is_refused(model_folder, path, value, message):
    tree = read_tree(model_folder)
    if path[0] == "fbank":
        tree["fbank"] |= {"frame_length_ms": 1000.0, "mel_bins": 4000}
        tree["members"][0]["mel_bins"] = 4000
    place = tree
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (model_folder / "bundle.json").write_text(json.dumps(tree))
    with pytest.raises(BundleError, match=message):
        load_bundle(model_folder)


def test_a_bundle_without_a_sum_of_its_graph_is_refused(model_folder):
    tree = altered(model_folder, "files", value={})
    assert "lacks 'files.model.onnx'" in refusal(model_folder, tree)


def places(tree, path=()):
    """Yield the path of every value in a JSON tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.integers(-3, 3),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(-2, 300), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=300,
)
@given(data=st.data())
def test_any_other_value_anywhere_loads_or_is_refused(tiny_model, model_folder, data):
    tree = read_tree(tiny_model)
    path = data.draw(st.sampled_from(list(places(tree))))
    place = tree
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = data.draw(VALUES)
    (model_folder / "bundle.json").write_text(json.dumps(tree))
    _load_or_refuse(model_folder)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=200,
)
@given(cut=st.integers(0, 2000), put=st.binary(max_size=4), skip=st.integers(0, 20))
def test_any_other_bytes_anywhere_load_or_are_refused(tiny_model, model_folder, cut, put, skip):
    content = (tiny_model / "bundle.json").read_bytes()
    (model_folder / "bundle.json").write_bytes(content[:cut] + put + content[cut + skip :])
    _load_or_refuse(model_folder)


def _load_or_refuse(folder: Path) -> None:
    try:
        bundle = load_bundle(folder)
    except BundleError:
        return
    assert len(bundle.labels) == bundle.members[0].labels
    assert replace(bundle.fbank) == bundle.fbank
