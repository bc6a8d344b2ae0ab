import pytest
import torch

from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.spec import ModelSpec
from ast_training.model.network import AudioSpectrogramTransformer, TrainingOptions
from ast_training.teacher.hint import Hint, Learner

SPEC = ModelSpec(
    labels=3,
    frames=200,
    width=12,
    depth=1,
    heads=3,
    patch=(128, 4),
    stride=(128, 4),
    frame_head=True,
)
FBANK = FbankSpec()
MOMENTS = 4  # of the teacher, 0.25, 0.75, 1.25 and 1.75 s


@pytest.fixture
def hint():
    torch.manual_seed(0)
    return Hint(SPEC, FBANK, 5)


def tokens(steps=50):
    return torch.randn(2, 2 + steps, 12, generator=torch.Generator().manual_seed(1))


def test_a_moment_is_guessed_from_what_is_within_half_a_second_of_it(hint):
    everything = torch.arange(50)
    changed = tokens()
    changed[:, 2 + 25 :] += 1  # from 1 s on
    before, after = hint(tokens(), everything), hint(changed, everything)
    same = torch.isclose(before, after).all(dim=2).all(dim=0)
    assert same.tolist() == [True, True, False, False, False]


def test_the_clip_is_guessed_from_the_special_tokens(hint):
    changed = tokens()
    changed[:, :2] += 1
    before, after = hint(tokens(), torch.arange(50)), hint(changed, torch.arange(50))
    torch.testing.assert_close(before[:, 1:], after[:, 1:])
    assert not torch.isclose(before[:, 0], after[:, 0]).any()


def test_what_patchout_leaves_out_is_not_missed(hint):
    kept = torch.arange(0, 50, 2)
    some, all_ = hint(torch.ones(1, 27, 12), kept), hint(torch.ones(1, 52, 12), torch.arange(50))
    torch.testing.assert_close(some, all_)


def test_a_feature_that_hardly_moves_counts_as_much_as_the_others(hint):
    heard = torch.randn(16, 1 + MOMENTS, 5)
    small = heard.clone()
    small[..., 2] = 7 + 1e-2 * small[..., 2]
    guess = torch.randn(16, 1 + MOMENTS, 5)
    torch.testing.assert_close(
        hint.losses(guess, heard), hint.losses(guess, small), rtol=0.05, atol=0
    )


def test_a_right_guess_costs_nothing(hint):
    heard = torch.randn(16, 1 + MOMENTS, 5)
    right = hint.scale(heard.flatten(0, 1)).view_as(heard)
    torch.testing.assert_close(hint.losses(right, heard), torch.zeros(16))


@pytest.mark.parametrize("frame_head", [True, False])
def test_a_learner_gives_what_the_model_gives_and_its_guess(frame_head):
    spec = ModelSpec(labels=3, frames=200, width=12, depth=1, heads=3, frame_head=frame_head)
    model = AudioSpectrogramTransformer(spec, TrainingOptions(patchout=(1, 2))).eval()
    fbank = torch.randn(2, 200, 128)
    clip, frame, kept, guess = Learner(model, Hint(spec, FBANK, 5))(fbank)
    for one, other in zip((clip, frame, kept), model.forward_kept(fbank), strict=True):
        torch.testing.assert_close(one, other)
    assert guess.shape == (2, 1 + MOMENTS if frame_head else 1, 5)


def test_without_a_hint_nothing_is_guessed():
    assert Learner(AudioSpectrogramTransformer(SPEC), None)(torch.randn(1, 200, 128))[3] is None
