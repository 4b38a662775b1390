"""Convolutions over time that see only so far ahead."""

import pytest
import torch

from anamorph.errors import InputError
from anamorph_training.networks.time_convolution import TimeConvolution, share_look_ahead


def test_the_first_kernels_see_ahead() -> None:
    assert share_look_ahead(None, (5, 9, 9, 5)) == (2, 4, 4, 2)
    assert share_look_ahead(12, (5, 9, 9, 5)) == (2, 4, 4, 2)
    assert share_look_ahead(0, (5, 9)) == (0, 0)
    assert share_look_ahead(3, (5, 9, 9)) == (2, 1, 0)
    with pytest.raises(InputError, match="look-ahead of 13 frames: this network sees 12 at most"):
        share_look_ahead(13, (5, 9, 9, 5))


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_a_picture_of_one_pixel_is_the_same(ahead: int) -> None:
    torch.manual_seed(0)
    layer = TimeConvolution(6, 6, kernel=7, ahead=ahead, groups=6)
    features = torch.randn(2, 6, 20)
    assert layer(features).shape == features.shape
    assert torch.allclose(layer(features), layer.as_picture(features), atol=1e-6)


def test_a_kernel_that_is_cut_is_one_whose_last_taps_are_zero() -> None:
    torch.manual_seed(0)
    whole = TimeConvolution(3, 4, kernel=5, ahead=2)
    causal = TimeConvolution(3, 4, kernel=5, ahead=0)
    with torch.no_grad():
        whole.weight[:, :, 3:] = 0
    causal.load_state_dict({"weight": whole.weight[:, :, :3], "bias": whole.bias})
    features = torch.randn(1, 3, 9)
    assert torch.allclose(causal(features), whole(features), atol=1e-6)
