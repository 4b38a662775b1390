"""Losses: pure functions of tensors that return a scalar; their weights stay in the recipes."""

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

_REACH: Final = 2  # pixels around each that a cubic kernel sees, at the low resolution


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference, in the units of its arguments."""
    return (prediction - target).abs().mean()


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference, in squared units of its arguments."""
    return (prediction - target).square().mean()


def grid(prediction: Tensor, target: Tensor, period: int, reach: int) -> Tensor:
    """Mean absolute difference of what repeats every ``period`` pixels.

    Pixel shuffle makes each of the ``period`` ** 2 sub-pixels by weights of its own, and a network
    that is trained to deceive lets them drift apart: a grid (Odena et al., 2016), or dots along an
    edge. Each sub-pixel is averaged over squares of ``reach`` periods a side, and over rows and
    columns as long, less the mean of all that lie in the same square, row or column: detail of any
    other period averages out and stays free.

    Args:
        prediction: float32 (batch, channels, height, width).
        target: Of the same shape; both sides multiples of ``period`` * ``reach``.
        period: Of the grid, in pixels.
        reach: Side of the squares, length of the rows and columns, in periods.
    """
    difference = F.pixel_unshuffle(prediction - target, period)  # (b, c * p * p, h / p, w / p)
    assert all(side % reach == 0 for side in difference.shape[2:])
    terms = []
    for window, phases in (((reach, reach), (2, 3)), ((1, reach), (3,)), ((reach, 1), (2,))):
        pooled = F.avg_pool2d(difference, window)
        batch, channels, *size = pooled.shape
        means = pooled.view(batch, channels // period**2, period, period, *size)
        terms.append((means - means.mean(phases, keepdim=True)).abs().mean())
    return torch.stack(terms).mean()


def consistency(prediction: Tensor, low: Tensor, scale: int) -> Tensor:
    """Mean absolute difference of a picture, shrunk again, to what it was enlarged from.

    Shrunk as `degradation.shrink` does, by Keys' cubic widened by the scale, but without rounding.
    Where the two differ, around the edges, nothing is compared: crops have had other neighbours.

    Args:
        prediction: float32 (batch, channels, scale * height, scale * width).
        low: float32 (batch, channels, height, width), at least 5 pixels a side.
        scale: Pixels of ``prediction`` per pixel of ``low``, along each axis; 2 or more.
    """
    # PyTorch's cubic is Keys' (a = -1/2) with antialiasing alone; without, a is -3/4.
    assert prediction.shape[-1] == scale * low.shape[-1]
    assert min(low.shape[-2:]) > 2 * _REACH, "all of it is edge"
    shrunk = F.interpolate(
        prediction, size=low.shape[-2:], mode="bicubic", align_corners=False, antialias=True
    )
    inner = slice(_REACH, -_REACH)
    return l1(shrunk[..., inner, inner], low[..., inner, inner])


def adversarial_discriminator(
    real_logits: Tensor, fake_logits: Tensor, smoothing: float = 0.0
) -> Tensor:
    """Binary cross entropy of a discriminator that should tell real from fake.

    With D = sigmoid(logit) and s = ``smoothing``, the mean over the batch of
    ``-(1 - s) log D(real) - s log(1 - D(real)) - log(1 - D(fake))``; 2 log 2 where D knows nothing.
    Goodfellow et al., 2014, eq. 1; smoothed on the real side alone as by Salimans et al., 2016.

    Args:
        real_logits: float32, any shape.
        fake_logits: float32, any shape; of detached fakes, or the generator is paid for being
            found out.
        smoothing: What the label of real pictures falls short of 1.
    """
    labels = torch.full_like(real_logits, 1 - smoothing)
    on_real = F.binary_cross_entropy_with_logits(real_logits, labels)
    return on_real + F.softplus(fake_logits).mean()  # -log(1 - sigmoid(x)) = softplus(x)


def adversarial_generator(fake_logits: Tensor) -> Tensor:
    """Binary cross entropy of a generator whose fakes should be taken for real.

    The mean of ``-log D(fake)``, which does not saturate where the discriminator is sure; log 2
    where it knows nothing. Goodfellow et al., 2014, section 3; Ledig et al., 2017, eq. 6.

    Args:
        fake_logits: float32, any shape.
    """
    return F.softplus(-fake_logits).mean()  # -log(sigmoid(x)) = softplus(-x)


def adversarial_relative(better: Tensor, worse: Tensor) -> Tensor:
    """Cross entropy of a discriminator that should find one of two partners more real.

    The mean of ``-log sigmoid(better - worse)``; log 2 where it cannot tell them apart. Partners
    show the same, so that only how they look decides, and no pair is told apart by what it shows.
    Jolicoeur-Martineau, "The Relativistic Discriminator", 2019, RpGAN.

    Args:
        better: float32 (batch,), logits of what should seem real: photographs, for the
            discriminator; fakes, for the generator.
        worse: Likewise, of each one's partner.
    """
    return F.softplus(worse - better).mean()


def least_squares_discriminator(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Squared error of discriminators that should say 1 of what is real and 0 of fakes.

    Mao et al., "Least Squares Generative Adversarial Networks", 2017, eq. 9 without the halves;
    averaged over the discriminators, so that their number does not change its weight.

    Args:
        real: float32, any shape, one per discriminator; one at least.
        fake: Likewise; of detached fakes, or the generator is paid for being found out.
    """
    pairs = zip(real, fake, strict=True)
    return torch.stack([(1 - a).square().mean() + b.square().mean() for a, b in pairs]).mean()


def least_squares_generator(fake: Sequence[Tensor]) -> Tensor:
    """Squared error of a generator of whose fakes discriminators should say 1.

    Mao et al., 2017, eq. 9; averaged over the discriminators.

    Args:
        fake: float32, any shape, one per discriminator; one at least.
    """
    return torch.stack([(1 - one).square().mean() for one in fake]).mean()


def feature_matching(fake_features: Sequence[Tensor], real_features: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of a discriminator's features, averaged over its layers.

    No gradient reaches the real side. Salimans et al., 2016, section 3.1; layer by layer as by
    Wang et al. (pix2pixHD), 2018, eq. 4, but averaged so that depth does not change its weight.

    Args:
        fake_features: float32 (batch, c, h, w) per layer, one layer at least.
        real_features: The same layers of the pictures that the fakes stand for.

    Raises:
        ValueError: The two have not equally many layers.
    """
    pairs = zip(fake_features, real_features, strict=True)
    return torch.stack([l1(fake, real.detach()) for fake, real in pairs]).mean()


def perceptual(fake: Tensor, real: Tensor, network: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean squared difference of two pictures as a network sees them.

    No gradient reaches the real side. Ledig et al., 2017, eq. 5, averaged over channels also.

    Args:
        fake: float32 (batch, 3, height, width) in [0, 1].
        real: Of the same shape.
        network: What turns a picture into features, with frozen weights.
    """
    with torch.no_grad():
        target = network(real)
    return mse(network(fake), target)
