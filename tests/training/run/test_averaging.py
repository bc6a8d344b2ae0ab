from dataclasses import replace

import pytest
import torch
from rigs.training.checkpoints import LABELS, random_checkpoint
from torch.optim.swa_utils import AveragedModel

from ast_edge.base.errors import BundleError, ConfigError
from ast_training.model.checkpoint import load_checkpoint
from ast_training.run.averaging import average_checkpoints, average_epochs
from ast_training.run.folder import RunFolder


def checkpoint_of(epoch, **changes):
    """A checkpoint whose weights are its epoch's own."""
    checkpoint = random_checkpoint(epoch=epoch, **changes)
    generator = torch.Generator().manual_seed(epoch)
    weights = {
        name: tensor + torch.randn(tensor.shape, generator=generator)
        for name, tensor in checkpoint.weights.items()
    }
    return replace(checkpoint, weights=weights)


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path)
    for epoch in (2, 3, 4):
        checkpoint_of(epoch).save(folder.epoch(epoch))
    return folder


def test_weights_are_averaged_as_pytorch_does(run):
    golden = AveragedModel(load_checkpoint(run.epoch(2)).build())
    for epoch in (2, 3, 4):
        golden.update_parameters(load_checkpoint(run.epoch(epoch)).build())
    averaged = average_epochs(run, 2, 4).weights
    expected = golden.module.state_dict()
    assert averaged.keys() == expected.keys()
    for name, tensor in averaged.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-6, atol=1e-6)


def test_weights_are_the_mean_rounded_once_to_float32(run):
    averaged = average_epochs(run, 2, 4).weights
    parts = [load_checkpoint(run.epoch(epoch)).weights for epoch in (2, 3, 4)]
    for name, tensor in averaged.items():
        mean = torch.stack([part[name].double() for part in parts]).mean(dim=0)
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, mean.float())


def test_only_the_epochs_of_the_span_count(run):
    averaged = average_epochs(run, 3, 3).weights
    kept = load_checkpoint(run.epoch(3)).weights
    assert all(torch.equal(averaged[name], kept[name]) for name in kept)


def test_the_average_says_what_it_is_of_and_has_not_been_measured(run):
    averaged = average_epochs(run, 2, 3)
    said = averaged.provenance["averaged"]
    assert said == "2 checkpoints, epoch-002.safetensors to epoch-003.safetensors"
    assert (averaged.epoch, averaged.metrics, averaged.state) == (3, {}, {})


def test_the_average_is_a_checkpoint_like_any_other(run):
    average_epochs(run, 2, 4).save(run.average)
    saved = load_checkpoint(run.average)
    assert saved.labels == LABELS
    assert saved.build()(torch.zeros(1, 64, 128)).shape == (1, 3)


@pytest.mark.parametrize(("first", "last"), [(1, 4), (2, 5), (7, 9)])
def test_epochs_that_were_not_kept_are_an_error(run, first, last):
    with pytest.raises(ConfigError) as caught:
        average_epochs(run, first, last)
    assert f"expected the weights of the epochs {first} to {last}, has 2 to 4" in str(caught.value)


def test_a_run_that_kept_none_says_so(tmp_path):
    with pytest.raises(ConfigError, match="expected the weights of the epochs 1 to 2, has none"):
        average_epochs(RunFolder(tmp_path / "none"), 1, 2)


@pytest.mark.parametrize("part", ["labels", "fbank", "model"])
def test_checkpoints_of_another_recipe_are_refused(run, part):
    odd = checkpoint_of(3)
    others = {
        "labels": {"labels": LABELS[::-1]},
        "fbank": {"fbank": replace(odd.fbank, window="hamming")},
        "model": {"model": replace(odd.model, mean=-6.0)},
    }
    replace(odd, **others[part]).save(run.epoch(3))
    with pytest.raises(BundleError, match="only weights of one recipe can be averaged"):
        average_epochs(run, 2, 4)


def test_a_damaged_checkpoint_is_named(run):
    run.epoch(4).write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"epoch-004\.safetensors: not a readable checkpoint"):
        average_checkpoints([run.epoch(2), run.epoch(4)])
