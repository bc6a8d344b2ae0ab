from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from rigs.training.foreign import SMALL, deit, hugging_face, official, random_model
from rigs.training.teachers import save_mobilenet
from safetensors.torch import save_file

from ast_edge.base.errors import BundleError
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.label import Label
from ast_training.model.checkpoint import Checkpoint
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.weights.initialisation import initialise, initialise_stem
from ast_training.weights.pos_embed import adapt_pos_embed

LABELS = tuple(Label(i, name, "") for i, name in enumerate(("Whistle", "Hum", "Hiss")))
SPEC = replace(SMALL, labels=3)
"""12 by 5 patches."""


@pytest.fixture
def source(tmp_path):
    return tmp_path / "deit.pth"


def start(spec=SPEC):
    torch.manual_seed(7)
    return AudioSpectrogramTransformer(spec).requires_grad_(False)


def started(source, spec=SPEC, *given):
    model = start(spec)
    initialise(model, source, *given)
    return model.state_dict()


def saved(path, spec=SPEC):
    """A checkpoint of ours."""
    weights = dict(random_model(spec).state_dict())
    Checkpoint(spec, FbankSpec(), LABELS, weights).save(path)
    return weights


def assert_encoder(found, expected, but=("v.pos_embed",)):
    names = [name for name in expected if name.startswith("v.") and name not in but]
    assert len(names) > 20
    assert all(torch.equal(found[name], expected[name]) for name in names)


def assert_head_is_random(found):
    fresh = start().state_dict()
    assert all(torch.equal(found[name], fresh[name]) for name in fresh if "mlp_head" in name)


# Where the weights come from


def test_a_deit_gives_its_encoder_with_the_colours_summed(source):
    weights = deit()
    torch.save({"model": weights}, source)
    found = started(source)
    assert_encoder(
        found,
        {f"v.{k}": v for k, v in weights.items() if "head" not in k},
        ("v.pos_embed", "v.patch_embed.proj.weight"),
    )
    kernel = weights["patch_embed.proj.weight"]
    assert torch.equal(found["v.patch_embed.proj.weight"], kernel.sum(dim=1, keepdim=True))
    assert_head_is_random(found)


def test_an_official_checkpoint_gives_its_encoder_and_not_its_head(tmp_path):
    model = random_model(SPEC, frames=128)
    torch.save(official(model), tmp_path / "a.pth")
    found = started(tmp_path / "a.pth")
    assert_encoder(found, model.state_dict())
    assert_head_is_random(found)


def test_a_folder_of_hugging_face_gives_its_encoder(tmp_path):
    pytest.importorskip("transformers")
    model = random_model(SPEC)
    hugging_face(model).save_pretrained(tmp_path)
    assert_encoder(started(tmp_path), model.state_dict(), but=())


def test_a_checkpoint_of_ours_gives_its_encoder(tmp_path):
    weights = saved(tmp_path / "a.safetensors", replace(SPEC, frames=200))
    found = started(tmp_path / "a.safetensors")
    assert_encoder(found, weights)
    expected = adapt_pos_embed(weights["v.pos_embed"], (12, 19), (12, 5))
    assert torch.equal(found["v.pos_embed"], expected)


def test_the_statistics_stay_the_models_own(tmp_path):
    saved(tmp_path / "a.safetensors", replace(SPEC, mean=3.0))
    model = start()
    initialise(model, tmp_path / "a.safetensors")
    assert model.spec == SPEC


# The stem

STEM = replace(SPEC, stem=96)


def test_a_stem_has_its_own_weights_beside_those_of_a_model_without_one_and_says_nothing(tmp_path):
    weights, model = saved(tmp_path / "a.safetensors"), start(STEM)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    initialise_stem(model, FbankSpec(), save_mobilenet(tmp_path / "mn.pt"), None)
    initialise(model, tmp_path / "a.safetensors", stem=False)
    found = model.state_dict()
    assert_encoder(found, weights)
    changed = {name for name in before if not torch.equal(before[name], found[name])}
    network, reader = "v.stem.networks.efficientat", "v.stem.readers.efficientat"
    assert {f"{network}.picture.bands.weight", f"{network}.features.16.0.weight"} <= changed
    assert not found[f"{reader}.proj.weight"].any()
    assert not found[f"{reader}.proj.bias"].any()


def test_a_checkpoint_with_a_stem_gives_it(tmp_path):
    weights = saved(tmp_path / "a.safetensors", STEM)
    assert_encoder(started(tmp_path / "a.safetensors", STEM), weights)


def test_what_reads_a_stem_is_taken_where_its_networks_are_given(tmp_path):
    weights, model = saved(tmp_path / "a.safetensors", STEM), start(STEM)
    initialise_stem(model, FbankSpec(), save_mobilenet(tmp_path / "mn.pt"), None)
    initialise(model, tmp_path / "a.safetensors", stem=False)
    found, reader = model.state_dict(), "v.stem.readers.efficientat.proj.weight"
    assert torch.equal(found[reader], weights[reader])
    network = "v.stem.networks.efficientat.features.16.0.weight"
    assert not torch.equal(found[network], weights[network])


def test_a_stem_that_nobody_gives_is_refused(tmp_path):
    saved(tmp_path / "a.safetensors")
    with pytest.raises(BundleError, match="has no stem; give the model's stem its own weights"):
        started(tmp_path / "a.safetensors", STEM)


def test_a_stem_that_the_model_has_not_is_refused(tmp_path):
    saved(tmp_path / "a.safetensors", STEM)
    with pytest.raises(BundleError, match="has a stem, which the model has not"):
        started(tmp_path / "a.safetensors")


# The head


def test_the_head_of_a_checkpoint_with_the_same_labels_is_taken_over(tmp_path):
    weights = saved(tmp_path / "a.safetensors")
    found = started(tmp_path / "a.safetensors", SPEC, "bilinear", LABELS)
    assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_the_head_follows_labels_by_name_whatever_their_order(tmp_path):
    weights = saved(tmp_path / "a.safetensors")
    found = started(tmp_path / "a.safetensors", SPEC, "bilinear", LABELS[::-1])
    for name in ("mlp_head.1.weight", "mlp_head.1.bias"):
        assert torch.equal(found[name], weights[name].flip(0))
    assert torch.equal(found["mlp_head.0.weight"], weights["mlp_head.0.weight"])


def test_a_label_that_the_source_does_not_know_stays_random(tmp_path):
    weights, fresh = saved(tmp_path / "a.safetensors"), start().state_dict()
    labels = (Label(0, "Hoot", ""), LABELS[2], LABELS[0])
    found = started(tmp_path / "a.safetensors", SPEC, "bilinear", labels)
    for name in ("mlp_head.1.weight", "mlp_head.1.bias"):
        assert torch.equal(found[name][0], fresh[name][0])
        assert torch.equal(found[name][1:], weights[name][[2, 0]])


@pytest.mark.parametrize("labels", [None, tuple(Label(i, f"Other {i}", "") for i in range(3))])
def test_the_head_stays_random_for_other_labels(tmp_path, labels):
    saved(tmp_path / "a.safetensors")
    found = started(tmp_path / "a.safetensors", SPEC, "bilinear", labels)
    assert_head_is_random(found)


# Positional embeddings


def test_the_embedding_of_a_deit_is_cut_around_its_centre(source):
    weights = deit(side=24)
    torch.save({"model": weights}, source)
    found = started(source)["v.pos_embed"]
    grid = weights["pos_embed"][0, 2:].view(24, 24, 64)
    assert torch.equal(found[0, 2:].view(12, 5, 64), grid[6:18, 10:15])
    assert torch.equal(found[:, :2], weights["pos_embed"][:, :2])


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_a_growing_axis_is_interpolated_as_asked(source, mode):
    weights = deit(side=14)
    torch.save({"model": weights}, source)
    found = started(source, replace(SPEC, frames=306), mode)["v.pos_embed"]  # 12 by 30 patches
    grid = weights["pos_embed"][:, 2:].view(1, 14, 14, 64).permute(0, 3, 1, 2)
    expected = F.interpolate(grid, (14, 30), mode=mode)[:, :, 1:13]
    torch.testing.assert_close(found[:, 2:], expected.flatten(2).transpose(1, 2))


def test_an_embedding_made_anew_keeps_only_that_of_the_special_tokens(source):
    weights = deit(side=14)
    torch.save({"model": weights}, source)
    found = started(source, SPEC, "reinit")["v.pos_embed"]
    assert torch.equal(found[:, :2], weights["pos_embed"][:, :2])
    assert found.shape == (1, 2 + 60, 64)
    assert found[:, 2:].std().item() == pytest.approx(0.02, rel=0.05)


# What is refused; the model is left as it was


def refusal(source, spec=SPEC):
    model = start(spec)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(BundleError) as caught:
        initialise(model, source)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    return str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [{"width": 128, "heads": 2}, {"depth": 3}, {"patch": (8, 8), "stride": (8, 8)}],
    ids=["width", "depth", "patch"],
)
@pytest.mark.parametrize("kind", ["deit", "ours"])
def test_a_model_of_another_size_or_patch_is_refused_and_both_are_named(kind, changes, tmp_path):
    path = tmp_path / ("a.pth" if kind == "deit" else "a.safetensors")
    torch.save(deit(), path) if kind == "deit" else saved(path)
    message = refusal(path, replace(SPEC, **changes))
    assert "got one of width 64, 2 blocks, 1 heads and patches of 16 by 16" in message
    assert "expected a model of" in message


def test_other_heads_are_refused(tmp_path):
    saved(tmp_path / "a.safetensors", replace(SPEC, heads=4))
    assert "4 heads" in refusal(tmp_path / "a.safetensors")


def test_an_official_checkpoint_of_an_unknown_window_is_refused(tmp_path):
    torch.save(official(random_model(SPEC)), tmp_path / "a.pth")
    assert "60 patches fit none" in refusal(tmp_path / "a.pth")


def test_a_deit_whose_grid_is_not_square_is_refused(source):
    torch.save(deit() | {"pos_embed": torch.zeros(1, 2 + 195, 64)}, source)
    assert "square grid" in refusal(source)


def test_a_weight_of_a_wrong_shape_is_named(source):
    torch.save(deit() | {"blocks.0.mlp.fc1.bias": torch.zeros(255)}, source)
    assert "v.blocks.0.mlp.fc1.bias: expected the shape (256,), got (255,)" in refusal(source)


def test_safetensors_that_are_damaged_are_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"\0" * 9)
    assert "no readable safetensors file" in refusal(tmp_path / "a.safetensors")


def test_safetensors_of_something_else_are_refused(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
    assert "without Transformer blocks" in refusal(tmp_path / "a.safetensors")
