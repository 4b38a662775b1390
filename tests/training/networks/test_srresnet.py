"""SRResNet: shapes, gradients, and a context that NaNs confirm."""

from typing import Any

import pytest
import torch

from anamorph_training.networks.srresnet import SRResNet, repeat_subpixels

SMALL: dict[str, Any] = {"channels": 8, "blocks": 2, "head_kernel": 3, "tail_kernel": 3}
CONFIGURATIONS: list[dict[str, Any]] = [
    {**SMALL, "scale": scale, "upsampling": upsampling, "batch_norm": norm, "image_skip": skip}
    for scale in (2, 3, 4)
    for upsampling, norm, skip in (
        ("staged", True, False),
        ("direct", False, True),
        ("staged", False, True),
        ("direct", False, False),
    )
] + [
    {"scale": 4, "channels": 8, "blocks": 1},
    {"scale": 3, "channels": 8, "blocks": 0, "tail_kernel": 1, "head_kernel": 5},
    {"scale": 2, "channels": 8, "blocks": 0, "tail_kernel": 5, "activation": "relu"},
]


def fresh(**configuration: Any) -> SRResNet:
    torch.manual_seed(0)
    return SRResNet(**configuration).eval()


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_enlarges_by_its_scale(configuration: dict[str, Any]) -> None:
    network = fresh(**configuration)
    output = network(torch.rand(2, 3, 7, 5))
    assert output.shape == (2, 3, 7 * network.scale, 5 * network.scale)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_a_nan_reaches_exactly_the_context(configuration: dict[str, Any]) -> None:
    network = fresh(**configuration)
    middle = network.context + 3
    image = torch.rand(1, 3, 2 * middle + 1, 2 * middle + 1)
    image[0, :, middle, middle] = torch.nan
    with torch.no_grad():
        touched = network(image).isnan().any(dim=1)[0]
    for axis in (0, 1):
        pixels = touched.any(dim=axis).nonzero().flatten() // network.scale
        reach = max(middle - int(pixels.min()), int(pixels.max()) - middle)
        assert reach == network.context


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_gradient_reaches_every_weight(configuration: dict[str, Any]) -> None:
    network = fresh(**configuration).train()
    network(torch.rand(2, 3, 8, 8)).square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def test_defaults_are_the_papers_size() -> None:
    network = fresh()
    assert sum(weight.numel() for weight in network.parameters()) == 1_547_350
    assert network.context == 4 + 2 * 16 + 1 + 3


def test_repeated_subpixels_shuffle_into_the_nearest_enlargement() -> None:
    image = torch.rand(1, 3, 4, 5)
    shuffled = torch.nn.functional.pixel_shuffle(repeat_subpixels(image, 3), 3)
    assert torch.equal(shuffled, image.repeat_interleave(3, 2).repeat_interleave(3, 3))


def test_with_image_skip_starts_near_the_nearest_enlargement() -> None:
    network = fresh(**SMALL, scale=2, upsampling="direct", batch_norm=False, image_skip=True)
    image = torch.rand(1, 3, 6, 6)
    nearest = image.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert (network(image) - nearest).abs().mean() < 0.1


@pytest.mark.parametrize("wrong", [{"scale": 5}, {"head_kernel": 4}, {"tail_kernel": 2}])
def test_refuses_what_it_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        SRResNet(**wrong)  # type: ignore[arg-type]
