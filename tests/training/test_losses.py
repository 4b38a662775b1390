"""Losses are means with known values, and send gradients to one side alone."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import backward
from torch.nn import functional as F

from anamorph_training.degradation import imresize
from anamorph_training.losses import (
    adversarial_discriminator,
    adversarial_generator,
    adversarial_relative,
    consistency,
    feature_matching,
    grid,
    l1,
    least_squares_discriminator,
    least_squares_generator,
    mse,
    perceptual,
)
from anamorph_training.networks.srgan import Discriminator


def test_losses_of_a_constant_difference() -> None:
    prediction, target = torch.full((2, 3), 0.5), torch.zeros(2, 3)
    assert l1(prediction, target).item() == 0.5
    assert mse(prediction, target).item() == 0.25


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def comb(period: int, side: int) -> Tensor:
    """One sub-pixel in period ** 2 is 1, less the mean: (side, side)."""
    board = torch.zeros(period, period)
    board[0, 0] = 1
    return (board - board.mean()).repeat(side // period, side // period)


def test_grid_is_zero_for_equal_pictures_and_for_other_colours() -> None:
    image = noise(2, 3, 32, 64)
    assert grid(image, image.clone(), 4, 4).item() == 0
    tinted = image + torch.tensor([0.3, 0.0, -0.15]).view(3, 1, 1)
    assert grid(tinted, image, 4, 4).item() == pytest.approx(0, abs=1e-6)


def test_grid_measures_what_repeats_with_its_period() -> None:
    image = noise(1, 3, 32, 32)
    found = grid(image + 0.1 * comb(4, 32), image, 4, 4).item()
    one = 0.1 * comb(4, 4)
    square = one.abs().mean()
    row, column = ((one - one.mean(axis, keepdim=True)).abs().mean() for axis in (1, 0))
    assert found == pytest.approx(((square + row + column) / 3).item(), abs=1e-6)


@pytest.mark.parametrize("axis", [2, 3])
def test_grid_minds_dots_along_an_edge_more_than_an_edge_out_of_place(axis: int) -> None:
    image = torch.zeros(1, 1, 32, 32)
    edge, dots = image.clone(), image.clone()
    edge.select(axis, 13).fill_(0.1)
    dots.select(axis, 13)[..., ::4] = 0.4
    assert l1(dots, image).item() == pytest.approx(l1(edge, image).item())
    assert grid(dots, image, 4, 8).item() > 1.5 * grid(edge, image, 4, 8).item()


def test_grid_leaves_other_texture_nearly_free() -> None:
    image = noise(1, 3, 60, 60)
    other = 0.1 * comb(3, 60)  # averaged over five of its periods
    assert (
        grid(image + other, image, 4, 15).item()
        < 0.01 * grid(image + 0.1 * comb(4, 60), image, 4, 15).item()
    )


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_consistency_shrinks_as_the_test_sets_were_shrunk(scale: int) -> None:
    high = noise(2, 3, 9 * scale, 11 * scale)
    shrunk = [imresize(image.permute(1, 2, 0).double().numpy(), 1 / scale) for image in high]
    low = torch.tensor(np.stack(shrunk)).permute(0, 3, 1, 2).float()
    assert consistency(high, low, scale).item() < 1e-6
    assert consistency(high + 0.1, low, scale).item() == pytest.approx(0.1, abs=1e-5)


def test_consistency_leaves_out_what_other_neighbours_decide() -> None:
    high = noise(1, 3, 24, 24)
    low = F.interpolate(high, (6, 6), mode="bicubic", antialias=True)
    low[..., :2, :] += 1
    low[..., -2:] -= 1
    assert consistency(high, low, 4).item() == pytest.approx(0, abs=1e-6)
    low[..., 2, 2] += 1
    assert consistency(high, low, 4).item() == pytest.approx(1 / 4, abs=1e-6)


def test_consistency_teaches_every_pixel() -> None:
    high = noise(1, 3, 28, 28).requires_grad_()
    backward(consistency(high, torch.zeros(1, 3, 7, 7), 4))
    assert high.grad is not None
    assert (high.grad[..., 6:22, 6:22] != 0).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_discriminator_that_knows_nothing_loses_log_2_twice(smoothing: float) -> None:
    loss = adversarial_discriminator(torch.zeros(4), torch.zeros(4), smoothing)
    assert loss.item() == pytest.approx(2 * math.log(2))
    assert adversarial_generator(torch.zeros(4)).item() == pytest.approx(math.log(2))


def test_adversarial_losses_are_cross_entropies() -> None:
    real, fake = noise(5) * 4 - 1, noise(5, seed=1) * 4 - 3
    right, wrong = real.sigmoid(), fake.sigmoid()
    expected = -(0.9 * right.log() + 0.1 * (1 - right).log()).mean() - (1 - wrong).log().mean()
    torch.testing.assert_close(adversarial_discriminator(real, fake, 0.1), expected)
    torch.testing.assert_close(adversarial_generator(fake), -wrong.log().mean())


def test_relative_loss_compares_partners_alone() -> None:
    real, fake = noise(5) * 4 - 1, noise(5, seed=1) * 4 - 3
    expected = -(real - fake).sigmoid().log().mean()
    torch.testing.assert_close(adversarial_relative(real, fake), expected)
    torch.testing.assert_close(adversarial_relative(real + 9, fake + 9), expected)
    assert adversarial_relative(real, real).item() == pytest.approx(math.log(2))


def test_smoothing_is_least_where_the_discriminator_says_its_label() -> None:
    logit = torch.tensor([math.log(0.9 / 0.1)], requires_grad=True)  # sigmoid: 0.9
    backward(adversarial_discriminator(logit, torch.zeros(1), 0.1))
    assert logit.grad is not None
    assert logit.grad.item() == pytest.approx(0, abs=1e-6)


def test_a_sure_discriminator_still_teaches_the_generator() -> None:
    logits = torch.tensor([-200.0, 200.0], requires_grad=True)
    loss = adversarial_generator(logits)
    backward(loss)
    assert loss.item() == pytest.approx(100)
    assert logits.grad is not None
    assert logits.grad.tolist() == pytest.approx([-0.5, 0])


def test_feature_matching_is_zero_for_equal_features() -> None:
    features = [noise(2, 4, 8, 8), noise(2, 8, 4, 4)]
    assert feature_matching(features, [layer.clone() for layer in features]).item() == 0


def test_feature_matching_counts_each_layer_alike() -> None:
    large, small = torch.zeros(2, 4, 8, 8), torch.zeros(2, 8, 1, 1)
    assert feature_matching([large + 1, small - 3], [large, small]).item() == 2


def test_feature_matching_refuses_unequal_depths() -> None:
    layer = torch.zeros(1, 4, 2, 2)
    with pytest.raises(ValueError, match="zip"):
        feature_matching([layer, layer], [layer])


def test_feature_matching_teaches_the_fake_alone() -> None:
    torch.manual_seed(0)
    network = Discriminator(side=16, channels=4, dense=8)
    fake = noise(2, 3, 16, 16).requires_grad_()
    real = noise(2, 3, 16, 16, seed=1).requires_grad_()
    backward(feature_matching(network.features(fake), network.features(real)))
    assert fake.grad is not None
    assert fake.grad.abs().sum() > 0
    assert real.grad is None


def edges(image: Tensor) -> Tensor:
    return 3 * (image[..., 1:] - image[..., :-1])


def test_perceptual_is_the_squared_difference_of_features() -> None:
    fake, real = noise(2, 3, 4, 5), noise(2, 3, 4, 5, seed=1)
    assert perceptual(real, real.clone(), edges).item() == 0
    assert perceptual(real + 0.2, real, edges).item() == pytest.approx(0, abs=1e-6)
    torch.testing.assert_close(perceptual(fake, real, edges), mse(edges(fake), edges(real)))


def test_perceptual_teaches_the_fake_alone() -> None:
    fake = noise(2, 3, 4, 5).requires_grad_()
    real = noise(2, 3, 4, 5, seed=1).requires_grad_()
    backward(perceptual(fake, real, edges))
    assert fake.grad is not None
    assert fake.grad.abs().sum() > 0
    assert real.grad is None


def test_least_squares_ask_for_one_and_nought() -> None:
    real, fake = [torch.tensor([1.0, 1.0]), torch.ones(3)], [torch.zeros(2), torch.zeros(4)]
    assert least_squares_discriminator(real, fake) == 0
    assert least_squares_discriminator(fake, real) == 2
    assert least_squares_generator(real) == 0
    assert least_squares_generator([torch.tensor([0.5]), torch.tensor([1.0])]) == 0.125


def test_the_number_of_discriminators_does_not_change_the_weight() -> None:
    one = [torch.tensor([0.3, 0.6])]
    assert least_squares_discriminator(one * 4, one * 4) == least_squares_discriminator(one, one)
    with pytest.raises(ValueError, match="longer"):
        least_squares_discriminator(one, one * 2)
