import pytest
import torch
import torch.nn.functional as F

from ast_training.model.losses import effective_number_weights, frame_losses, losses


def test_bce_is_that_of_torch():
    logits, targets = torch.randn(5, 3), torch.rand(5, 3)
    golden = F.binary_cross_entropy(logits.sigmoid(), targets)
    assert losses(logits, targets, "bce").shape == (5,)
    torch.testing.assert_close(losses(logits, targets, "bce").mean(), golden)


def test_cross_entropy_of_one_label_is_that_of_its_index():
    logits, labels = torch.randn(5, 3), torch.tensor([0, 2, 1, 1, 0])
    golden = F.cross_entropy(logits, labels, reduction="none")
    torch.testing.assert_close(losses(logits, F.one_hot(labels, 3).float(), "ce"), golden)


def test_cross_entropy_of_a_mixture_is_the_mixture_of_those_of_its_labels():
    logits = torch.randn(1, 3)
    first, second = (F.cross_entropy(logits, torch.tensor([label])) for label in (0, 2))
    found = losses(logits, torch.tensor([[0.3, 0.0, 0.7]]), "ce")
    torch.testing.assert_close(found, (0.3 * first + 0.7 * second)[None])


def test_the_loss_of_steps_is_the_mean_over_steps_and_labels():
    logits, targets = torch.randn(3, 5, 2), torch.randint(0, 2, (3, 5, 2)).float()
    golden = [
        torch.nn.BCEWithLogitsLoss()(x, y).item() for x, y in zip(logits, targets, strict=True)
    ]
    assert frame_losses(logits, targets).tolist() == pytest.approx(golden, abs=1e-6)


def test_without_steps_there_is_no_loss():
    assert frame_losses(torch.zeros(3, 0, 2), torch.zeros(3, 0, 2)).tolist() == [0, 0, 0]


def test_labels_count_by_their_weights():
    logits, targets = torch.randn(5, 3), torch.rand(5, 3)
    weights = torch.tensor([1.0, 0.0, 1.0])
    expected = losses(logits[:, [0, 2]], targets[:, [0, 2]], "bce")
    torch.testing.assert_close(losses(logits, targets, "bce", weights), expected)


def test_what_is_not_known_teaches_nothing():
    logits = torch.randn(2, 4, 3, requires_grad=True)
    targets = torch.rand(2, 4, 3)
    targets[0, :, 1] = torch.nan
    frame_losses(logits, targets).sum().backward()
    assert logits.grad.isfinite().all()
    assert (logits.grad[0, :, 1] == 0).all()
    assert (logits.grad[1, :, 1] != 0).all()


def test_a_label_counts_by_the_inverse_of_its_effective_number():
    """Cui et al. 2019: E = (1 - beta^n) / (1 - beta), computed by its sum here."""
    counts, beta = [1, 5, 300], 0.99
    inverse = [1 / sum(beta**i for i in range(n)) for n in counts]
    expected = [3 * one / sum(inverse) for one in inverse]
    assert effective_number_weights(counts, beta) == pytest.approx(expected)


def test_without_beta_all_labels_count_alike():
    assert effective_number_weights([1, 7, 1000], 0.0) == [1, 1, 1]


def test_a_label_without_clips_counts_as_the_rarest():
    none, one, many = effective_number_weights([0, 1, 50], 0.999)
    assert none == one > many


def test_cross_entropy_can_weigh_labels():
    logits, weights = torch.randn(3, 3), torch.tensor([1.0, 2.0, 0.5])
    plain = losses(logits, torch.eye(3), "ce")
    torch.testing.assert_close(losses(logits, torch.eye(3), "ce", weights), plain * weights)
