"""SRGAN's discriminator: the paper's layout, its features, and gradients."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from anamorph_training.networks.srgan import Discriminator

# Width and stride of the eight convolutions in figure 4 of the paper.
PAPER = [(64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2)]


def fresh(side: int = 32) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(side=side, channels=4, dense=8)


def test_defaults_are_the_papers_layers() -> None:
    modules = [m for m in Discriminator(side=96).modules() if not list(m.children())]
    convolutions = [m for m in modules if isinstance(m, nn.Conv2d)]
    assert [(m.out_channels, m.stride[0]) for m in convolutions] == PAPER
    assert {m.kernel_size for m in convolutions} == {(3, 3)}
    assert {m.negative_slope for m in modules if isinstance(m, nn.LeakyReLU)} == {0.2}
    norms = [m for m in modules if isinstance(m, nn.BatchNorm2d)]
    assert [m.num_features for m in norms] == [width for width, _ in PAPER[1:]]
    assert not any(isinstance(m, nn.Sigmoid) for m in modules)


def test_defaults_have_the_papers_number_of_weights() -> None:
    first = 3 * 64 * 9 + 64
    widths = [width for width, _ in PAPER]
    normed = sum(9 * a * b + 2 * b for a, b in pairwise(widths))
    dense = (512 * 6 * 6 + 1) * 1024 + 1024 + 1
    assert first + normed + dense == 23_563_649
    network = Discriminator(side=96)
    assert sum(weight.numel() for weight in network.parameters()) == first + normed + dense


def test_gives_a_logit_per_picture_and_features_per_convolution() -> None:
    network = fresh()
    image = torch.rand(3, 3, 32, 32)
    assert network(image).shape == (3,)
    assert [tuple(features.shape[1:]) for features in network.features(image)] == [
        (4, 32, 32),
        (4, 16, 16),
        (8, 16, 16),
        (8, 8, 8),
        (16, 8, 8),
        (16, 4, 4),
        (32, 4, 4),
        (32, 2, 2),
    ]


def test_judging_the_features_equals_judging_the_picture() -> None:
    network = fresh().eval()
    image = torch.rand(2, 3, 32, 32)
    features = network.features(image)
    kept = [layer.clone() for layer in features]
    assert torch.equal(network.judge(features), network(image))
    assert all(torch.equal(*pair) for pair in zip(features, kept, strict=True))


def test_features_see_as_far_as_their_kernels_reach() -> None:
    network = fresh(side=96).eval()
    image = torch.rand(1, 3, 96, 96, requires_grad=True)
    reached = []
    for features in network.features(image):
        middle = features.shape[-1] // 2
        (gradient,) = torch.autograd.grad(
            features[0, :, middle, middle].sum(), image, retain_graph=True
        )
        touched = gradient[0].abs().sum(dim=0).nonzero()
        low, high = touched.amin(dim=0), touched.amax(dim=0)
        assert torch.equal(high - low, (high - low)[:1].expand(2))  # as wide as high
        reached.append(int(high[0] - low[0]) + 1)
    assert reached == [3, 5, 9, 13, 21, 29, 45, 61]


def test_gradient_reaches_every_weight_and_the_picture() -> None:
    network = fresh()
    image = torch.rand(2, 3, 32, 32, requires_grad=True)
    network(image).square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_learns_to_tell_noise_from_flat_pictures() -> None:
    network = fresh(side=16)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    image = torch.cat([torch.rand(4, 3, 16, 16), torch.rand(4, 3, 1, 1).expand(4, 3, 16, 16)])
    label = torch.tensor([1.0] * 4 + [0.0] * 4)
    for _ in range(30):
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(network(image), label)
        torch.autograd.backward(loss)
        optimizer.step()
    assert loss.item() < 0.1


@pytest.mark.parametrize("side", [0, 8, 40, 100])
def test_refuses_a_side_that_does_not_halve_four_times(side: int) -> None:
    with pytest.raises(ValueError, match=rf"side is {side}; .* multiple of 16"):
        Discriminator(side=side)
