"""What the model has beside AST as published: scores of steps, and what serves their training."""

from dataclasses import replace

import torch
from rigs.broker.network import small, sound

from ast_training.model.network import AudioSpectrogramTransformer, TrainingOptions


def test_the_clip_scores_are_the_same_with_and_without_the_steps():
    model = small(frame_head=True)
    fbank = sound(model.spec)
    torch.testing.assert_close(model.forward_both(fbank)[0], model(fbank))


def test_every_step_has_a_score():
    model = small(frame_head=True, stride=(16, 8))
    assert model.forward_both(sound(model.spec))[1].shape == (2, model.spec.steps, 5)


def test_a_step_is_the_mean_of_its_column_of_patches():
    model = small(frame_head=True)
    fbank = sound(model.spec)
    tokens = model.v(fbank, None)[:, 2:]  # mean 0, std 0.5: normalisation changes nothing
    rows, columns = model.spec.grid
    for column in range(columns):
        patches = torch.stack([tokens[:, row * columns + column] for row in range(rows)])
        expected = model.frame_head(patches.mean(dim=0))
        torch.testing.assert_close(model.forward_both(fbank)[1][:, column], expected)


def test_a_model_without_a_frame_head_has_no_steps():
    model = small()
    clip, frame = model.forward_both(sound(model.spec))
    torch.testing.assert_close(clip, model(sound(model.spec)))
    assert frame.shape == (2, 0, 5)


def test_with_patchout_the_steps_that_are_left_have_a_score():
    spec = replace(small(frame_head=True).spec, patch=(64, 8), stride=(64, 8))
    model = AudioSpectrogramTransformer(spec, TrainingOptions(patchout=(0, 2))).train()
    _, frame, kept = model.forward_kept(sound(spec))
    assert frame.shape == (2, spec.steps - 2, 5)
    assert len(set(kept.tolist())) == spec.steps - 2


def test_a_step_that_patchout_leaves_is_scored_in_its_place():
    spec = replace(small(frame_head=True).spec, patch=(64, 8), stride=(64, 8), depth=1)
    model = AudioSpectrogramTransformer(spec, TrainingOptions(patchout=(0, 2))).train()
    with torch.no_grad():
        for name in ("attn.proj", "mlp.fc2"):  # the block adds nothing: a step is its own patch
            model.v.blocks[0].get_submodule(name).weight.zero_()
        features = sound(spec)
        _, frame, kept = model.forward_kept(features)
        _, whole = model.eval().forward_both(features)
    torch.testing.assert_close(frame, whole[:, kept])


def test_patches_cut_for_training_are_those_of_the_convolution():
    model = small(patch=(16, 8), stride=(16, 8))
    features = sound(model.spec)
    trained = model.v.patch_embed.train()(features)
    torch.testing.assert_close(trained, model.v.patch_embed.eval()(features))


def test_a_model_can_expect_every_label_alike():
    model = small(frame_head=True)
    model.expect(0.01)
    with torch.no_grad():  # of nothing but the bias
        for head in (model.mlp_head, model.frame_head):
            head[1].weight.zero_()
        for scores in model.forward_both(sound(model.spec)):
            torch.testing.assert_close(scores.sigmoid(), torch.full_like(scores, 0.01))
