from dataclasses import replace

import pytest

from ast_edge.model.spec import SIZES, ModelSpec, same_steps


@pytest.mark.parametrize(
    ("stride", "frames", "grid", "patches"),
    [
        (10, 1024, (12, 101), 1212),
        (10, 998, (12, 99), 1188),
        (10, 512, (12, 50), 600),
        (10, 128, (12, 12), 144),
        (10, 100, (12, 9), 108),
        (12, 1024, (10, 85), 850),
        (12, 512, (10, 42), 420),
        (14, 1024, (9, 73), 657),
        (14, 128, (9, 9), 81),
        (16, 1024, (8, 64), 512),
        (16, 998, (8, 62), 496),
        (16, 512, (8, 32), 256),
    ],
)
def test_an_input_is_cut_into_as_many_patches_as_the_published_models(
    stride, frames, grid, patches
):
    spec = ModelSpec(labels=527, frames=frames, stride=(stride, stride))
    assert spec.grid == grid
    assert spec.tokens == patches + 2


def test_patch_and_stride_may_differ_along_the_axes():
    spec = ModelSpec(labels=1, mel_bins=64, frames=100, patch=(64, 4), stride=(64, 2))
    assert spec.grid == (1, 49)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_has_heads_of_64(size):
    width, _, heads = SIZES[size]
    assert width == 64 * heads


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 100, "heads": 3}, "width 100 is not a multiple of 3 heads"),
        ({"frames": 15}, "128 mel bins and 15 frames holds no patch of 16 by 16"),
        ({"mel_bins": 8}, "8 mel bins and 1024 frames holds no patch"),
        ({"activation": "tanh"}, "sigmoid or softmax, got 'tanh'"),
        ({"std": 0.0}, "std must be positive, got 0.0"),
        ({"std": float("nan")}, "std must be positive, got nan"),
        ({"heads": 0}, "all sizes must be positive"),
        ({"stride": (0, 10)}, "all sizes must be positive"),
        ({"labels": 0}, "all sizes must be positive"),
        ({"width": -192}, "all sizes must be positive"),
    ],
)
def test_a_network_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ModelSpec(**({"labels": 2} | changes))


FRAMED = ModelSpec(labels=2, frames=200, frame_head=True)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"width": 192, "heads": 3, "depth": 1}, True),
        ({"patch": (128, 16), "stride": (128, 10)}, True),
        ({"frame_head": False}, False),
        ({"frames": 201}, False),
        ({"stride": (10, 16)}, False),
        ({"patch": (16, 10)}, False),
    ],
    ids=str,
)
def test_members_score_the_same_steps_if_heads_window_patch_and_stride_agree_in_time(changes, same):
    assert same_steps([FRAMED, replace(FRAMED, **changes)]) is same
