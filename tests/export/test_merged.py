from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from rigs.training.checkpoints import LABELS, random_checkpoint
from torch.utils.flop_counter import FlopCounterMode

from ast_edge.base.errors import BundleError, ConfigError
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.bundle import load_bundle
from ast_export.flops import count_flops
from ast_export.graph import export_graph
from ast_export.merged import (
    MergedModel,
    covering,
    load_members,
    member_probabilities,
    pytorch_scores,
    with_curve,
)
from ast_training.model.network import AudioSpectrogramTransformer

FRAMES = 96


def member(seed, **changes):
    """Another network than the rig's: other weights and other shape."""
    spec = replace(random_checkpoint().model, **changes)
    torch.manual_seed(seed)
    model = AudioSpectrogramTransformer(spec)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.25)
    return random_checkpoint(model=spec, weights=dict(model.state_dict()))


@pytest.fixture(scope="module")
def members():
    """Different strides, splits into patches, lengths and statistics."""
    return [
        member(1, frames=FRAMES, stride=(10, 10)),
        member(2, frames=FRAMES, patch=(128, 2), stride=(128, 2), mean=-5.0, std=4.0),
        member(3, frames=40, width=128, heads=2, depth=1),
    ]


def windows(batch):
    rng = np.random.default_rng(batch)
    return rng.normal(-7, 5, (batch, FRAMES, 128)).astype(np.float32)


@torch.inference_mode()
def probabilities(checkpoint, fbank):
    """What a model says of windows of its own length."""
    return checkpoint.build().probabilities(torch.from_numpy(fbank)).numpy()


def mean_of(members, fbank):
    """The definition, by hand: the last member looks at three windows of 40 frames."""
    shorter = [probabilities(members[2], fbank[:, s : s + 40]) for s in (0, 28, 56)]
    each = [probabilities(members[0], fbank), probabilities(members[1], fbank)]
    return np.mean([*each, np.max(shorter, axis=0)], axis=0)


@pytest.fixture(scope="module")
def merged_graph(members, tmp_path_factory):
    path = tmp_path_factory.mktemp("merged") / "model.onnx"
    export_graph(MergedModel([m.build() for m in members]), path)
    return path


@pytest.mark.parametrize("batch", [1, 3])
def test_the_merged_graph_is_the_mean_of_its_members(merged_graph, members, batch):
    session = onnxruntime.InferenceSession(merged_graph, providers=["CPUExecutionProvider"])
    found = session.run(["clip"], {"fbank": windows(batch)})[0]
    np.testing.assert_allclose(found, mean_of(members, windows(batch)), rtol=0, atol=1e-6)


def test_members_one_by_one_give_the_same_mean(members):
    found = pytorch_scores(members, windows(17)).clip
    np.testing.assert_allclose(found, mean_of(members, windows(17)), rtol=0, atol=1e-6)


def test_merging_leaves_the_checkpoints_as_they_are(members):
    before = {name: tensor.clone() for name, tensor in members[0].weights.items()}
    MergedModel([members[0].build(share=True)], half=True)
    for name, tensor in members[0].weights.items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("frames", "window", "starts"),
    [(96, 96, [0]), (96, 40, [0, 28, 56]), (96, 48, [0, 48]), (100, 99, [0, 1])],
)
def test_the_fewest_windows_cover_all_frames(frames, window, starts):
    assert covering(frames, window) == starts


def test_a_member_with_a_softmax_still_sums_to_one(members):
    spec = replace(members[2].model, activation="softmax")
    model = replace(members[2], model=spec).build()
    with torch.inference_mode():
        (clip,) = member_probabilities(model, torch.from_numpy(windows(2)))
        total = clip.sum(dim=1)
    torch.testing.assert_close(total, torch.ones(2))


# Frame scores


@torch.inference_mode()
def step_probabilities(checkpoint, fbank):
    return checkpoint.build().forward_both(torch.from_numpy(fbank))[1].sigmoid().numpy()


@pytest.fixture(scope="module")
def framed_members():
    """They differ in size and in the height of their patches; their steps are the same."""
    time = {"frames": FRAMES, "frame_head": True}
    return [
        member(4, stride=(10, 10), **time),
        member(5, patch=(128, 16), stride=(128, 10), width=128, heads=2, mean=-5.0, **time),
    ]


def test_frame_scores_are_the_mean_of_the_members(framed_members, tmp_path):
    expected = np.mean([step_probabilities(m, windows(3)) for m in framed_members], axis=0)
    export_graph(MergedModel([m.build() for m in framed_members]), tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(["frame"], {"fbank": windows(3)})
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    scores = pytorch_scores(framed_members, windows(3))
    np.testing.assert_allclose(scores.frame, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"frames": FRAMES},
        {"frames": FRAMES, "frame_head": True, "stride": (16, 16)},
        {"frames": 40, "frame_head": True, "stride": (10, 10)},
    ],
    ids=["no head", "other steps", "other window"],
)
def test_members_without_the_same_steps_have_no_frame_scores(framed_members, changes):
    members = [framed_members[0], member(6, **changes)]
    assert not MergedModel([m.build() for m in members]).frame
    assert pytorch_scores(members, windows(2)).frame is None


def test_half_precision_changes_frame_scores_by_little(framed_members):
    with torch.inference_mode():
        model = MergedModel([m.build() for m in framed_members], half=True)
        _, half = model(torch.from_numpy(windows(3)))
    difference = np.abs(half.numpy() - pytorch_scores(framed_members, windows(3)).frame)
    assert half.dtype == torch.float32
    assert 0 < difference.max() <= 1e-2


def test_the_curve_is_what_the_clips_head_says_of_the_mean_patch_of_a_step(members):
    clip_only = members[0]
    found = step_probabilities(with_curve(clip_only), windows(2))
    with torch.inference_mode():
        model = clip_only.build()
        spec = model.spec
        fbank = (torch.from_numpy(windows(2)) - spec.mean) / (2 * spec.std)
        patches = model.v(fbank, None)[:, 2:].unflatten(1, spec.grid)
        expected = model.mlp_head(patches.mean(dim=1)).sigmoid().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_the_curve_changes_nothing_of_the_clips_scores(members):
    with_it = pytorch_scores([with_curve(members[0])], windows(2)).clip
    np.testing.assert_allclose(with_it, probabilities(members[0], windows(2)), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"frame_head": True}, "this one has one"), ({"activation": "softmax"}, "a sigmoid")],
)
def test_a_curve_is_not_for_every_model(changes, message):
    with pytest.raises(ConfigError, match=message):
        with_curve(member(7, **changes))


# Float16


def test_half_precision_is_near_and_not_the_same(members):
    fbank = torch.from_numpy(windows(3))
    with torch.inference_mode():
        (half,) = MergedModel([m.build() for m in members], half=True)(fbank)
    difference = np.abs(half.numpy() - mean_of(members, windows(3)))
    assert half.dtype == torch.float32
    assert 0 < difference.max() <= 1e-2


def test_layer_norms_and_softmax_of_a_half_graph_compute_in_float32(members, tmp_path):
    onnx = pytest.importorskip("onnx")
    export_graph(MergedModel([members[0].build()], half=True), tmp_path / "model.onnx")
    graph = onnx.shape_inference.infer_shapes(onnx.load(tmp_path / "model.onnx")).graph
    kinds = {v.name: v.type.tensor_type.elem_type for v in [*graph.value_info, *graph.output]}
    of = {op: {kinds[n.output[0]] for n in graph.node if n.op_type == op} for op in OPERATORS}
    single, half = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
    assert of["LayerNormalization"] == of["Softmax"] == of["Sigmoid"] == {single}
    assert half in of["MatMul"]
    assert of["Conv"] == {half}


OPERATORS = ("LayerNormalization", "Softmax", "Sigmoid", "MatMul", "Conv")


# Fewer tokens


def noise(batch):
    return np.random.default_rng(batch).normal(-7, 5, (batch, 64, 128)).astype(np.float32)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_engines_merge_the_tokens_that_pytorch_merges(merging, square_checkpoint, engine, batch):
    bundle = load_bundle(merging[0])
    config = EngineConfig(name=engine, precision="fp32")
    found = open_engine(bundle, config).run(noise(batch)).clip
    expected = pytorch_scores([square_checkpoint], noise(batch), 8).clip
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)
    whole = pytorch_scores([square_checkpoint], noise(batch)).clip
    assert np.abs(found - whole).max() > 1e-3  # tokens were merged


def test_a_graph_that_merges_has_the_flops_that_pytorch_counts(merging, square_checkpoint):
    model = MergedModel([square_checkpoint.build()], merge_tokens=8)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 64, 128))
    assert count_flops(merging[0] / "model.onnx") == counter.get_total_flops()


def test_merging_leaves_patches_layers_and_checkpoints_as_they_are(square_checkpoint):
    before = {name: tensor.clone() for name, tensor in square_checkpoint.weights.items()}
    pytorch_scores([square_checkpoint], noise(1), 8)
    for name, tensor in square_checkpoint.weights.items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_half_precision_merges_as_well(square_checkpoint):
    with torch.inference_mode():
        model = MergedModel([square_checkpoint.build()], half=True, merge_tokens=8)
        (half,) = model(torch.from_numpy(noise(1)))
    assert half.dtype == torch.float32
    assert np.isfinite(half.numpy()).all()


def test_a_member_whose_tokens_cannot_be_merged_is_refused(members):
    with pytest.raises(ConfigError, match="as high as the spectrogram"):
        MergedModel([members[1].build()], merge_tokens=4)


# Members that do not belong together


def saved(tmp_path, *checkpoints):
    paths = [tmp_path / f"{number}.safetensors" for number in range(len(checkpoints))]
    for path, checkpoint in zip(paths, checkpoints, strict=True):
        checkpoint.save(path)
    return paths


def test_members_are_read_in_order(tmp_path):
    members = load_members(saved(tmp_path, random_checkpoint(epoch=1), random_checkpoint(epoch=2)))
    assert [m.epoch for m in members] == [1, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"labels": (LABELS[0], LABELS[2], LABELS[1])},
            "other labels.*number 1 is 'Hiss' instead of 'Hum'",
        ),
        ({"labels": LABELS[:2]}, "other labels.*2 instead of 3"),
        ({"fbank": FbankSpec(mel_bins=64)}, "another front end"),
        (
            {"model": replace(random_checkpoint().model, activation="softmax")},
            "another activation.*softmax",
        ),
    ],
)
def test_members_that_do_not_agree_are_refused_by_name(tmp_path, changes, message):
    paths = saved(tmp_path, random_checkpoint(), random_checkpoint(**changes))
    with pytest.raises(BundleError, match=rf"1\.safetensors: has {message}"):
        load_members(paths)
