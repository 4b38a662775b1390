"""The divergence is right by its closed form, by Monte Carlo and against the lecture's print."""

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import backward
from torch.distributions import Bernoulli, Distribution, Normal, kl_divergence

from anamorph_training.latent_losses import kl_per_latent, kl_to_prior, negative_log_likelihood


def log_prob(distribution: Distribution, value: Tensor) -> Tensor:
    return distribution.log_prob(value)


def test_the_divergence_is_nothing_at_the_prior_and_positive_elsewhere() -> None:
    assert kl_per_latent(torch.zeros(2, 3), torch.zeros(2, 3)).abs().max() == 0
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = (torch.randn(1000, 4, generator=generator) for _ in range(2))
    assert (kl_per_latent(mean, log_variance) >= 0).all()


def test_the_closed_form_agrees_with_pytorch_and_with_monte_carlo() -> None:
    mean, log_variance = torch.tensor([[0.7, -1.2]]), torch.tensor([[0.5, -1.0]])
    found = kl_per_latent(mean, log_variance)
    posterior, prior = Normal(mean, torch.exp(0.5 * log_variance)), Normal(0.0, 1.0)
    assert torch.allclose(found, kl_divergence(posterior, prior), atol=1e-6)
    torch.manual_seed(0)
    drawn = posterior.sample((400_000,))  # type: ignore[no-untyped-call]
    estimated = (log_prob(posterior, drawn) - log_prob(prior, drawn)).mean(0)
    assert torch.allclose(found, estimated, atol=0.01)


def test_the_lectures_print_is_it_with_the_other_sign_and_its_sigma_the_variance() -> None:
    mean, variance = torch.tensor([[1.0, 0.3]]), torch.tensor([[1.0, 2.5]])
    printed = -0.5 * (variance + mean.square() - 1 - variance.log())
    assert torch.allclose(printed, -kl_per_latent(mean, variance.log()))
    assert printed[0, 0] == -0.5


def test_free_bits_cost_nothing_and_pass_no_gradient() -> None:
    mean = torch.full((4, 2), 0.1, requires_grad=True)
    loss = kl_to_prior(mean, torch.zeros(4, 2), free_bits=0.5)
    assert loss.item() == pytest.approx(2 * 0.5)
    backward(loss)
    assert mean.grad is not None
    assert mean.grad.abs().max() == 0
    assert kl_to_prior(mean, torch.zeros(4, 2)).item() == pytest.approx(2 * 0.5 * 0.01)


def test_likelihoods_are_those_of_pytorchs_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 1, 5, 4, generator=generator)
    picture = torch.rand(3, 1, 5, 4, generator=generator)
    found = negative_log_likelihood(logits, picture, likelihood="gaussian", noise=0.3)
    expected = -log_prob(Normal(logits, 0.3), picture).sum((1, 2, 3))
    assert torch.allclose(found, expected, atol=1e-4)
    found = negative_log_likelihood(logits, picture.round(), likelihood="bernoulli", noise=0.3)
    expected = -log_prob(Bernoulli(logits=logits), picture.round()).sum((1, 2, 3))
    assert torch.allclose(found, expected, atol=1e-4)


def test_a_coin_that_knows_nothing_costs_a_bit_per_pixel() -> None:
    zeros = torch.zeros(1, 1, 8, 8)
    cost = negative_log_likelihood(zeros, zeros, likelihood="bernoulli", noise=1)
    assert cost.item() == pytest.approx(64 * math.log(2))
