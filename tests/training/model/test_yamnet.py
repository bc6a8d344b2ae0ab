import pytest
import torch

from ast_training.model.yamnet import CHANNELS, column_middles, yamnet_features


@pytest.mark.parametrize("frames", [400, 397, 416])
def test_a_column_sees_as_much_before_its_middle_as_behind_it(frames):
    network = yamnet_features().double().eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
            torch.nn.init.zeros_(layer.bias)
    # As if it were linear: how much each frame moves a column is symmetric around its middle.
    linear = torch.nn.Sequential(*(n for n in network if not isinstance(n, torch.nn.ReLU6)))
    picture = torch.zeros(1, 1, frames, 64, dtype=torch.float64, requires_grad=True)
    found = linear(picture).mean((1, 3))[0]
    middles = column_middles(frames)
    assert len(found) == len(middles)
    for column in range(5, 8):  # farther out the ends of the picture cut off what they see
        (share,) = torch.autograd.grad(found[column], picture, retain_graph=True)
        share = share.sum((0, 1, 3))
        centre = (share * (torch.arange(frames) + 0.5)).sum() / share.sum()
        assert abs(centre - middles[column]) < 1


def test_a_picture_becomes_32_times_smaller():
    with torch.inference_mode():
        assert yamnet_features()(torch.zeros(2, 1, 96, 64)).shape == (2, CHANNELS, 3, 2)
