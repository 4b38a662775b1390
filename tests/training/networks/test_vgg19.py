"""VGG19's features: torchvision's layout, checked against functional convolutions."""

import pytest
import torch
from torch.nn import functional as F

from anamorph_training.networks.vgg19 import WIDTHS, VGG19Features

SMALL = tuple(width // 16 for width in WIDTHS)
# The convolutions' indices in torchvision's vgg19().features; each is followed by its activation.
STAGES = [[0, 2], [5, 7], [10, 12, 14, 16], [19, 21, 23, 25], [28, 30, 32, 34]]


def fresh(layer: str = "relu5_4") -> VGG19Features:
    torch.manual_seed(0)
    return VGG19Features(layer=layer, widths=SMALL)


def reference(weights: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
    """Compute relu5_4 from torchvision's names, without a module."""
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    current = (image - mean) / deviation
    for number, stage in enumerate(STAGES):
        current = F.max_pool2d(current, 2) if number else current
        for index in stage:
            weight, bias = (weights[f"features.{index}.{kind}"] for kind in ("weight", "bias"))
            current = F.conv2d(current, weight, bias, padding=1).relu()
    return current / 12.75


def test_sees_what_torchvisions_layout_computes() -> None:
    network = fresh()
    weights = network.state_dict()
    assert len(weights) == 32
    image = torch.rand(2, 3, 35, 48)
    features = network(image)
    assert features.shape == (2, SMALL[-1], 2, 3)
    assert features.abs().sum() > 0
    torch.testing.assert_close(features, reference(weights, image))


def test_is_as_large_as_torchvisions() -> None:
    with torch.device("meta"):
        network = VGG19Features()
    assert sum(weight.numel() for weight in network.state_dict().values()) == 20_024_384


@pytest.mark.parametrize(
    ("layer", "last", "shape"),
    [
        ("conv1_1", 0, (4, 32, 32)),
        ("relu2_2", 7, (8, 16, 16)),
        ("conv3_4", 16, (16, 8, 8)),
        ("conv5_4", 34, (32, 2, 2)),
    ],
)
def test_stops_at_the_named_layer(layer: str, last: int, shape: tuple[int, int, int]) -> None:
    network = fresh(layer)
    assert list(network.state_dict())[-1] == f"features.{last}.bias"
    assert network(torch.rand(1, 3, 32, 32)).shape[1:] == shape


def test_relu_is_the_activated_convolution() -> None:
    image = torch.rand(1, 3, 16, 16)
    before = fresh("conv3_2")(image)
    assert before.min() < 0
    assert torch.equal(fresh("relu3_2")(image), before.relu())


def test_weights_stay_frozen_while_the_picture_gets_a_gradient() -> None:
    network = fresh()
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    network(image).sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize("layer", ["pool5", "relu5_5", "conv6_1", ""])
def test_refuses_a_layer_that_is_not_there(layer: str) -> None:
    with pytest.raises(ValueError, match="VGG19 has conv1_1 to conv5_4"):
        fresh(layer)
