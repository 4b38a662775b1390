"""RepSR: shapes, gradients, a context that NaNs confirm, branches that fold without a change."""

import copy
from itertools import product
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from anamorph_training.networks.repsr import RepConv, RepSR, fold_branches

CONFIGURATIONS: list[dict[str, Any]] = [
    {"scale": scale, "channels": 8, "blocks": 2, "block": block, "branches": branches}
    for (scale, block), branches in zip(
        product((2, 3, 4), ("residual", "plain", "attention")), [True, False] * 5, strict=False
    )
]
EACH = pytest.mark.parametrize("configuration", CONFIGURATIONS)


def fresh(**configuration: Any) -> RepSR:
    torch.manual_seed(0)
    return RepSR(**configuration).eval()


@EACH
def test_enlarges_by_its_scale(configuration: dict[str, Any]) -> None:
    network = fresh(**configuration)
    assert network(torch.rand(2, 3, 7, 5)).shape == (2, 3, 7 * network.scale, 5 * network.scale)


@EACH
def test_a_nan_reaches_exactly_the_context(configuration: dict[str, Any]) -> None:
    network = fresh(**configuration)
    middle = network.context + 3
    image = torch.rand(1, 3, 2 * middle + 1, 2 * middle + 1)
    image[0, :, middle, middle] = torch.nan
    with torch.no_grad():
        touched = network(image).isnan().any(dim=1)[0]
    for axis in (0, 1):
        pixels = touched.any(dim=axis).nonzero().flatten() // network.scale
        assert max(middle - int(pixels.min()), int(pixels.max()) - middle) == network.context


@EACH
def test_gradient_reaches_every_weight(configuration: dict[str, Any]) -> None:
    network = fresh(**configuration).train()
    network(torch.rand(2, 3, 8, 8)).square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


@EACH
def test_folding_leaves_plain_convolutions_and_changes_nothing(
    configuration: dict[str, Any],
) -> None:
    network = fresh(**configuration)
    for weight in network.parameters():  # fresh biases are zero, which would hide their loss
        nn.init.normal_(weight, std=0.1)
    image = torch.rand(2, 3, 9, 7)
    with torch.no_grad():
        expected = network(image)
        folded = fold_branches(copy.deepcopy(network))
        torch.testing.assert_close(folded(image), expected, rtol=1e-5, atol=1e-6)
    convolutions = [m for m in folded.modules() if isinstance(m, nn.Conv2d)]
    assert not any(isinstance(module, RepConv) for module in folded.modules())
    assert {c.kernel_size for c in convolutions} == {(3, 3)}
    assert sum(w.numel() for w in folded.parameters()) <= sum(
        w.numel() for w in network.parameters()
    )


def test_branches_add_up_to_what_each_computes() -> None:
    torch.manual_seed(0)
    layer = RepConv(inputs=4, outputs=4, branches=True, identity=True)
    assert layer.point is not None
    features = torch.rand(1, 4, 6, 5)
    square = F.conv2d(features, layer.square.view(4, 4, 3, 3), layer.bias, padding=1)
    point = F.conv2d(features, layer.point.view(4, 4, 1, 1))
    torch.testing.assert_close(layer(features), square + point + features)


def test_defaults_fold_to_less_than_the_allowed_size() -> None:
    folded = fold_branches(fresh(branches=True))
    assert sum(weight.numel() for weight in folded.parameters()) == 731_120
    assert fresh().context == 2 * 9 + 3


def test_starts_near_the_nearest_enlargement() -> None:
    image = torch.rand(1, 3, 6, 6)
    nearest = image.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert (fresh(scale=2, channels=16, blocks=2)(image) - nearest).abs().mean() < 0.1


def test_refuses_other_scales() -> None:
    with pytest.raises(ValueError, match="scale is 5"):
        RepSR(scale=5)
