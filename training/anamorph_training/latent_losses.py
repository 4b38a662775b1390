"""Losses of models with a latent code, in nats: pure functions of tensors.

Sums over pixels and latents, means over the batch: a VAE's loss is then the negative evidence lower
bound of a picture, and the weight of its divergence means what papers mean by beta.
"""

import math
from typing import Final

from torch import Tensor
from torch.nn import functional as F

from anamorph_training.options import Likelihood

_LOG_TWO_PI: Final = math.log(2 * math.pi)


def kl_per_latent(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Divergence KL(N(mean, sigma^2) || N(0, 1)) of each latent, in nats and in closed form.

    It is ``-1/2 (1 + log sigma^2 - mean^2 - sigma^2)``: Kingma & Welling, 2014, appendix B, who
    write the bound to be raised, where it stands without the minus. The lecture prints
    ``-1/2 sum(sigma + mean^2 - 1 - log sigma)``. Its sign is that of the bound but its name that of
    the divergence, which is never negative: here ``sigma = 1, mean = 1`` gives 1/2, there -1/2.
    And its sigma can only be the variance: with ``log sigma`` for ``log sigma^2`` the minimum over
    sigma would still lie at 1, but the value elsewhere would be wrong.

    Args:
        mean: float32 (b, latent).
        log_variance: float32 (b, latent), natural log of sigma squared.

    Returns:
        float32 (b, latent), at least 0; 0 where the posterior is the prior.
    """
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp())


def kl_to_prior(mean: Tensor, log_variance: Tensor, free_bits: float = 0.0) -> Tensor:
    """Divergence of the posterior from N(0, I), summed over latents, mean over the batch.

    Args:
        mean: float32 (b, latent).
        log_variance: float32 (b, latent).
        free_bits: Nats that each latent may carry at no cost: what its mean over the batch falls
            short of them is counted in full, without a gradient (Kingma et al., "Improved
            Variational Inference with Inverse Autoregressive Flow", 2016, eq. 15).
    """
    return kl_per_latent(mean, log_variance).mean(0).clamp(min=free_bits).sum()


def negative_log_likelihood(
    made: Tensor, picture: Tensor, *, likelihood: Likelihood, noise: float
) -> Tensor:
    """Minus log p(picture | code) of each picture in nats, summed over its pixels.

    Args:
        made: float32 (b, bands, height, width), as a decoder returns it.
        picture: Of the same shape, in [0, 1].
        likelihood: ``bernoulli``: every value is the share of white that a coin with the chance
            sigmoid(made) shows; ``gaussian``: it lies about what is made.
        noise: Standard deviation of the Gaussian, in units of the picture.

    Returns:
        float32 (b,).
    """
    if likelihood == "bernoulli":
        each = F.binary_cross_entropy_with_logits(made, picture, reduction="none")
    else:
        error = (made - picture) / noise
        each = 0.5 * (error.square() + _LOG_TWO_PI) + math.log(noise)
    return each.flatten(1).sum(1)
