import torch
from torch import nn

from ast_training.model.head import Head, head


def test_without_a_stem_it_is_that_of_ast():
    assert [type(layer) for layer in head(4, 0, 3)] == [nn.LayerNorm, nn.Linear]


def test_it_adds_what_it_reads_of_the_token_and_what_it_is_told():
    layers = head(4, 2, 3)
    layers[0].told_mean.fill_(1.0)
    layers[0].told_std.fill_(2.0)
    nn.init.normal_(layers[1].told)
    x = torch.randn(5, 6)
    token = nn.functional.layer_norm(x[:, :4], (4,)) @ layers[1].weight.T + layers[1].bias
    expected = token + (x[:, 4:] - 1) / 2 @ layers[1].told.T
    torch.testing.assert_close(layers(x), expected)


def test_what_it_reads_of_the_stem_does_not_learn():
    layers = head(4, 2, 3)
    layers(torch.randn(5, 6)).sum().backward()
    assert {name for name, p in layers[1].named_parameters() if p.grad is not None} == {
        "weight",
        "bias",
    }


def test_as_one_layer_it_is_the_same():
    layer, x = Head(4, 2, 3), torch.randn(5, 6)
    nn.init.normal_(layer.told)
    torch.testing.assert_close(layer.joined()(x), layer(x))
