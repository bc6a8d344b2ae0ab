import pytest
import torch
import torch.nn.functional as F

from ast_training.weights.pos_embed import adapt_pos_embed


def coordinates(grid):
    """An embedding whose two values are the patch's row and column."""
    rows, columns = torch.meshgrid(*(torch.arange(float(n)) for n in grid), indexing="ij")
    patches = torch.stack([rows, columns], dim=2).reshape(1, -1, 2)
    return torch.cat([torch.tensor([[[-1.0, -1.0], [-2.0, -2.0]]]), patches], dim=1)


@pytest.mark.parametrize(
    ("source", "target", "rows", "columns"),
    [
        ((24, 24), (12, 12), (6, 18), (6, 18)),  # DeiT base 384 to Speech Commands
        ((24, 24), (10, 24), (7, 17), (0, 24)),
        ((24, 24), (9, 24), (8, 17), (0, 24)),
        ((24, 24), (8, 24), (8, 16), (0, 24)),
        ((14, 14), (12, 14), (1, 13), (0, 14)),  # DeiT 224
        ((14, 14), (10, 14), (2, 12), (0, 14)),
        ((14, 14), (9, 14), (3, 12), (0, 14)),
        ((14, 14), (8, 14), (3, 11), (0, 14)),
        ((12, 101), (12, 50), (0, 12), (25, 75)),  # AudioSet to ESC-50
        ((12, 101), (12, 12), (0, 12), (44, 56)),
        ((12, 101), (12, 9), (0, 12), (46, 55)),
        ((12, 101), (12, 99), (0, 12), (1, 100)),
    ],
)
def test_shrinking_axes_are_cut_around_their_centre(source, target, rows, columns):
    adapted = adapt_pos_embed(coordinates(source), source, target)
    patches = adapted[0, 2:].reshape(*target, 2)
    assert patches[:, 0, 0].tolist() == list(range(*rows))
    assert patches[0, :, 1].tolist() == list(range(*columns))


def random_embedding(grid, width=6):
    return torch.randn(1, 2 + grid[0] * grid[1], width, generator=torch.Generator().manual_seed(3))


def test_growing_axes_are_interpolated_and_shrinking_ones_cut():
    embedding = random_embedding((24, 24))
    square = embedding[:, 2:].reshape(1, 24, 24, 6).permute(0, 3, 1, 2)
    expected = F.interpolate(square, (24, 101), mode="bilinear", align_corners=False)[:, :, 6:18]
    adapted = adapt_pos_embed(embedding, (24, 24), (12, 101))
    torch.testing.assert_close(adapted[:, 2:], expected.flatten(2).transpose(1, 2))


def test_the_same_grid_changes_nothing():
    embedding = random_embedding((12, 101))
    assert torch.equal(adapt_pos_embed(embedding, (12, 101), (12, 101)), embedding)


def test_special_tokens_keep_their_embeddings():
    embedding = random_embedding((4, 4))
    assert torch.equal(adapt_pos_embed(embedding, (4, 4), (2, 9))[:, :2], embedding[:, :2])


@pytest.mark.parametrize("target", [(12, 101), (20, 30), (8, 10)])
def test_the_order_of_the_axes_does_not_matter(target):
    embedding = random_embedding((14, 14))
    by_time = adapt_pos_embed(embedding, (14, 14), (14, target[1]))
    by_frequency = adapt_pos_embed(embedding, (14, 14), (target[0], 14))
    torch.testing.assert_close(
        adapt_pos_embed(by_time, (14, target[1]), target),
        adapt_pos_embed(by_frequency, (target[0], 14), target),
    )


def test_an_embedding_of_another_grid_is_refused():
    with pytest.raises(ValueError, match=r"18 tokens do not fill a \(5, 4\) grid"):
        adapt_pos_embed(random_embedding((4, 4)), (5, 4), (2, 2))
