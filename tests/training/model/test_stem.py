from dataclasses import replace

import pytest
import torch

from ast_edge.model.spec import ModelSpec
from ast_training.model.network import AudioSpectrogramTransformer, TrainingOptions
from ast_training.model.stem import EfficientAtStem, Stem, around, between

SPEC = ModelSpec(3, 160, 128, 8, 2, 1, (128, 4), (128, 4), frame_head=True, stem=96)


def made(spec=SPEC, **options):
    torch.manual_seed(1)
    return AudioSpectrogramTransformer(spec, TrainingOptions(**options))


def test_a_patch_between_two_columns_takes_a_share_of_both():
    middles = EfficientAtStem(SPEC).middles
    shares = between(torch.arange(40) * 4 + 2.0, middles)
    assert shares.shape == (40, 5)
    torch.testing.assert_close(shares.sum(1), torch.ones(40))
    # Patch 10 lies in the middle of frames 40 to 44, the columns at 32 and 64.
    torch.testing.assert_close(shares[10], torch.tensor([0, 22 / 32, 10 / 32, 0, 0]))
    torch.testing.assert_close(shares[-1], torch.tensor([0, 0, 0, 0, 1.0]))


def test_a_step_is_told_of_the_second_around_it():
    shares = around(torch.tensor([64.0, 2.0]), [0.0, 32.0, 64.0, 96.0, 128.0], 160)
    # Frames 14 to 114: of the columns 0 and 128 two frames each, of the others all 32.
    torch.testing.assert_close(shares[0], torch.tensor([2, 32, 32, 32, 2]) / 100)
    torch.testing.assert_close(shares[1], torch.tensor([32, 32, 4, 0, 0]) / 68)


def test_a_window_of_one_column_is_told_as_a_whole():
    steps = torch.tensor([2.0, 14.0])
    assert around(steps, [0.0], 16).tolist() == between(steps, [0.0]).tolist() == [[1], [1]]


@pytest.mark.parametrize("frames", [160, 400])
def test_both_networks_tell_each_column_of_patches(frames):
    spec = replace(SPEC, frames=frames, yamnet=True)
    with torch.inference_mode():
        seen = Stem(spec)(torch.randn(2, frames, 128))
    assert seen.columns.shape == (2, spec.steps, 8)
    assert seen.told.shape == (2, 1 + spec.steps, 128 + 1024)


def test_all_rows_of_a_grid_are_told_the_same():
    square = replace(SPEC, patch=(16, 16), stride=(16, 16))
    model, fbank = made(square).eval(), torch.randn(1, 160, 128)
    with torch.inference_mode():
        seen = model.v.stem(fbank).columns
        taken = []
        for block in model.v.blocks:
            block.register_forward_pre_hook(lambda _, given: taken.append(given[0]))
        model.v(fbank)
        own = model.v.patch_embed(fbank) + model.v.pos_embed[:, 2:]
    torch.testing.assert_close(taken[0][:, 2:] - own, seen.repeat(1, 8, 1))


def test_its_convolutions_do_not_learn_but_what_reads_them_does():
    model = made()
    model.train()
    clip, frames = model.forward_both(torch.randn(2, 160, 128))
    (clip.sum() + frames.sum()).backward()
    learns = {name for name, p in model.v.stem.named_parameters() if p.grad is not None}
    read = ("norm.weight", "norm.bias", "proj.weight", "proj.bias")
    assert learns == {f"readers.efficientat.{name}" for name in read}


def test_its_mobilenet_learns_if_told_to():
    model = made(replace(SPEC, yamnet=True))
    model.v.stem.learn()
    model.train()
    clip, frames = model.forward_both(torch.randn(2, 160, 128))
    (clip.sum() + frames.sum()).backward()
    learns = {
        name.split(".")[1] for name, p in model.v.stem.named_parameters() if p.grad is not None
    }
    assert learns == {"efficientat", "yamnet"}  # of the latter what reads it
    moved = {name for name, p in model.v.stem.networks.named_parameters() if p.grad is not None}
    convolutions = model.v.stem.networks["efficientat"].features.named_parameters()
    assert {f"efficientat.features.{name}" for name, _ in convolutions} < moved
    assert not any(name.startswith("efficientat.picture") for name in moved)


def test_patchout_leaves_the_columns_their_own_features():
    model = made(patchout=(0, 30)).train()
    _, frames, kept = model.forward_kept(torch.randn(2, 160, 128))
    assert len(kept) == 10
    assert frames.shape == (2, 10, 3)


def test_a_step_that_patchout_leaves_is_scored_by_what_it_is_told():
    model = made(patchout=(0, 30)).train()
    fbank = torch.randn(2, 160, 128)
    for head in (model.mlp_head, model.frame_head):
        torch.nn.init.zeros_(head[1].weight)
        torch.nn.init.normal_(head[1].told)
    clip, frames, kept = model.forward_kept(fbank)
    whole, steps = model.eval().forward_both(fbank)
    torch.testing.assert_close(clip, whole)
    torch.testing.assert_close(frames, steps[:, kept])


def test_without_a_stem_there_is_nothing_of_it():
    assert not [name for name in made(replace(SPEC, stem=0)).state_dict() if "stem" in name]


def test_a_negative_number_of_channels_is_refused():
    with pytest.raises(ValueError, match="stem must be a number of channels or 0, got -1"):
        replace(SPEC, stem=-1)
