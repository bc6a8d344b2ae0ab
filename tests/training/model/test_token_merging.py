from dataclasses import replace

import pytest
import torch
from rigs.training.checkpoints import random_checkpoint

from ast_edge.base.errors import ConfigError
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.model.token_merging import (
    SPECIAL,
    MergingTransformer,
    check_merging,
    merge,
    most_merged,
)

SPEC = replace(random_checkpoint().model, depth=4, stride=(10, 10))  # 60 patches


def tokens(patches, width=6):
    torch.manual_seed(patches)
    return torch.randn(2, SPECIAL + patches, width), torch.randn(2, SPECIAL + patches, 4)


@pytest.mark.parametrize("patches", [8, 9])
def test_what_is_merged_is_the_mean_of_all_that_is_in_it(patches):
    x, keys = tokens(patches)
    once, sizes = merge(x, keys, None, 3)
    twice, sizes = merge(once, torch.randn(2, SPECIAL + patches - 3, 4), sizes, 2)
    assert twice.shape == (2, SPECIAL + patches - 5, 6)
    torch.testing.assert_close((twice * sizes).sum(dim=1), x.sum(dim=1))
    assert sizes.sum(dim=1).tolist() == [[SPECIAL + patches]] * 2


def test_the_pairs_that_are_most_alike_are_merged_and_the_special_tokens_never():
    x, keys = tokens(6)
    keys[:, :2] = keys[:, 2:3]  # the special ones are as alike as can be, too
    keys[:, 2 + 2] = keys[:, 2 + 5]  # of the first half; of the second
    found, sizes = merge(x, keys, None, 1)
    rows = {tuple(row) for row in found[0].tolist()}
    assert tuple(((x[0, 4] + x[0, 7]) / 2).tolist()) in rows
    assert sizes[0].flatten().tolist().count(2.0) == 1
    torch.testing.assert_close(found[:, :SPECIAL], x[:, :SPECIAL])


def test_several_patches_may_become_one():
    x, keys = tokens(6)
    keys[:] = torch.tensor([1.0, 0, 0, 0])
    keys[:, 2 + 1] *= 2  # nothing to the angle
    found, sizes = merge(x, keys, None, 3)
    torch.testing.assert_close(found[0, SPECIAL], (x[0, 2:7:2].sum(0) + x[0, 3]) / 4)
    assert sizes[0].flatten().tolist() == [1, 1, 4, 1, 1]


def paired_network():
    """Return a network whose patches are at the same place two by two; one block merges."""
    torch.manual_seed(0)
    network = AudioSpectrogramTransformer(replace(SPEC, depth=2)).eval()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.25)
    with torch.no_grad():
        places = network.v.pos_embed
        places[:, 3::2] = places[:, 2::2]
    return network


@torch.inference_mode()
def test_patches_that_are_the_same_are_merged_without_any_change():
    network = paired_network()
    flat = torch.full((1, SPEC.frames, SPEC.mel_bins), -3.0)  # all patches show the same
    expected = network(flat)
    network.v = MergingTransformer(network.v, 20)
    torch.testing.assert_close(network(flat), expected, rtol=0, atol=1e-4)


@torch.inference_mode()
def test_of_other_patches_merging_changes_what_a_network_says():
    network = paired_network()
    sound = torch.randn(1, SPEC.frames, SPEC.mel_bins) * 5 - 7
    expected = network(sound)
    network.v = MergingTransformer(network.v, 20)
    assert (network(sound) - expected).abs().max() > 1e-3


def test_so_many_can_be_merged_that_no_block_lacks_a_partner():
    most = most_merged(SPEC)  # 60 patches, three blocks
    assert most <= (60 - 2 * most) // 2
    assert not all(most + 1 <= (60 - done * (most + 1)) // 2 for done in range(3))
    check_merging(SPEC, most)


@pytest.mark.parametrize(
    ("changes", "count", "message"),
    [
        ({}, 16, r"expected 1 to 15 tokens to merge in each of the 3 blocks .*60 patches.*got 16"),
        ({}, -1, "got -1"),
        ({"depth": 1}, 1, "expected 1 to 0"),
        ({"frame_head": True}, 4, "scores of steps.*without --frame-curve"),
        ({"patch": (128, 4), "stride": (128, 4)}, 4, "as high as the spectrogram"),
    ],
    ids=["too many", "less than none", "one block", "a frame head", "full height"],
)
def test_what_cannot_be_merged_is_refused(changes, count, message):
    with pytest.raises(ConfigError, match=message):
        check_merging(replace(SPEC, **changes), count)
