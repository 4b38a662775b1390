"""Autoencoders keep shapes, pass gradients to every weight, and refuse sizes they cannot halve."""

from typing import Any

import pytest
import torch
from torch import nn

from anamorph_training.networks.autoencoder import (
    VAE,
    Autoencoder,
    Size,
    count_levels,
    reparametrise,
)
from anamorph_training.networks.debiasing_vae import DebiasingVAE
from anamorph_training.networks.resampling import resample, to_grey

SIZES = ((1, 8, 8), (3, 32, 32), (1, 64, 64), (1, 112, 96), (3, 128, 256))


def make_size(bands: int, height: int, width: int, **others: Any) -> Size:
    return Size(bands=bands, height=height, width=width, **{"channels": 4, "hidden": 8, **others})


def assert_every_weight_learns(network: nn.Module) -> None:
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("size", SIZES)
def test_an_autoencoder_returns_pictures_of_the_same_size(size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    network, picture = Autoencoder(make_size(*size), latent=3), torch.rand(2, *size)
    logits = network(picture)
    assert logits.shape == picture.shape
    assert network.encode(picture).shape == (2, 3)
    logits.square().sum().backward()
    assert_every_weight_learns(network)


@pytest.mark.parametrize("size", SIZES)
def test_a_vae_returns_a_picture_and_its_posterior(size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    network, picture = VAE(make_size(*size), latent=3), torch.rand(2, *size)
    logits, mean, log_variance = network(picture, torch.randn(2, 3))
    assert logits.shape == picture.shape
    assert mean.shape == log_variance.shape == (2, 3)
    assert torch.equal(network.encode(picture), mean)
    (logits.square().sum() + log_variance.sum()).backward()
    assert_every_weight_learns(network)


def test_a_debiasing_vae_also_tells_classes() -> None:
    torch.manual_seed(0)
    network, picture = (
        DebiasingVAE(make_size(1, 32, 32), latent=3, classes=5),
        torch.rand(2, 1, 32, 32),
    )
    logits, mean, log_variance, classes = network(picture, torch.randn(2, 3))
    assert classes.shape == (2, 5)
    assert network.classify(picture).detach().sum(1).tolist() == pytest.approx([1, 1])
    (logits.square().sum() + log_variance.sum() + classes.square().sum()).backward()
    assert_every_weight_learns(network)
    assert torch.equal(network.encode(picture), mean)


@pytest.mark.parametrize("hidden", [0, 8])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_linear_way_learns_beside_the_convolutions(hidden: int, likelihood: Any) -> None:
    torch.manual_seed(0)
    size = make_size(1, 16, 16, hidden=hidden, linear=True, likelihood=likelihood)
    network, picture = VAE(size, latent=3), torch.rand(2, 1, 16, 16)
    made, _, log_variance = network(picture, torch.randn(2, 3))
    (made.square().sum() + log_variance.sum()).backward()
    assert_every_weight_learns(network)
    shown = network.decoder.show(10 * torch.randn(4, 3))
    assert shown.min() >= 0
    assert shown.max() <= 1


def test_what_is_drawn_has_the_posteriors_mean_and_deviation() -> None:
    mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 2.0]])
    noise = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0))
    drawn = reparametrise(mean, log_variance, noise)
    assert drawn.mean(0).tolist() == pytest.approx([1, -2], abs=0.02)
    assert drawn.var(0).tolist() == pytest.approx([1, 7.389], rel=0.02)
    assert torch.equal(reparametrise(mean, log_variance, torch.zeros(1, 2)), mean)


@pytest.mark.parametrize(("height", "width"), [(4, 64), (60, 64), (64, 100), (0, 0)])
def test_sizes_that_cannot_be_halved_are_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match="multiples of 8, 16 or 32"):
        count_levels(height, width)


@pytest.mark.parametrize(("rows", "columns"), [(28, 28), (100, 250), (300, 17), (1, 1)])
def test_resampling_agrees_with_pytorchs_antialiased_bilinear(rows: int, columns: int) -> None:
    picture = torch.rand(2, 3, rows, columns, generator=torch.Generator().manual_seed(0))
    expected = nn.functional.interpolate(
        picture, size=(32, 48), mode="bilinear", antialias=True, align_corners=False
    )
    assert (resample(picture, 32, 48) - expected).abs().max() < 1e-6
    there = resample(picture, torch.ones(32), torch.ones(48))
    assert torch.equal(there, resample(picture, 32, 48))


def test_grey_is_the_luma() -> None:
    colours = torch.eye(3).view(3, 3, 1, 1)
    assert to_grey(colours).flatten().tolist() == pytest.approx([0.299, 0.587, 0.114])
