"""A convolutional encoder and decoder: one code per picture.

As in Burgess et al., "Understanding disentangling in beta-VAE" (2018), table 1, convolutions of
4 x 4 with stride 2 lead down to a few pixels, one dense layer to the code, and the same back. But
the outermost levels are folded: 2 x 2 or 4 x 4 pixels go into channels at once and out again
(Shi et al., 2016), which halves the time of a step and loses nothing.
"""

import itertools
import math
from typing import Final

import torch
from torch import Tensor, nn

_LEAST_SIDE: Final = 4  # pixels of the innermost features, along the shorter side
_MOST_FOLDED: Final = 2


def count_levels(height: int, width: int) -> int:
    """Return how often a picture of this size is halved.

    Raises:
        ValueError: It is too small, or a side cannot be halved that often.
    """
    levels = int(math.log2(max(min(height, width), 1) / _LEAST_SIDE) + 1e-9)
    step = 2 ** max(levels, 1)
    if levels < 1 or height % step or width % step:
        raise ValueError(
            f"{height} x {width} pixels cannot be halved down to {_LEAST_SIDE}; give a height and "
            "a width of at least 8 that are both multiples of 8, 16 or 32, such as 32, 64 or 96"
        )
    return levels


class _Shape:
    """What both halves share: how the levels are folded, and how wide each is."""

    def __init__(self, bands: int, height: int, width: int, channels: int) -> None:
        levels = count_levels(height, width)
        folded = min(_MOST_FOLDED, levels // 2 or 1)
        self.fold = 2**folded  # pixels a side
        self.folded_bands = bands * self.fold**2
        self.widths = [channels << max(0, level - 1) for level in range(levels - folded + 1)]
        self.inner = (self.widths[-1], height >> levels, width >> levels)


class Encoder(nn.Module):
    """From a picture to a few numbers.

    Args:
        bands: Channels of the picture: 1 or 3.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        channels: Features of the first two levels; each further one has twice as many.
        hidden: Features of the dense layer; 0 leaves it out.
        outputs: Numbers that come out.
    """

    def __init__(
        self, *, bands: int, height: int, width: int, channels: int, hidden: int, outputs: int
    ) -> None:
        super().__init__()
        shape = _Shape(bands, height, width, channels)
        layers: list[nn.Module] = [
            nn.PixelUnshuffle(shape.fold),
            nn.Conv2d(shape.folded_bands, channels, 3, padding=1),
            nn.ReLU(),
        ]
        for inside, outside in itertools.pairwise(shape.widths):
            layers += [nn.Conv2d(inside, outside, 4, stride=2, padding=1), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        size = math.prod(shape.inner)
        self.dense = nn.Sequential(nn.Linear(size, hidden), nn.ReLU()) if hidden else nn.Identity()
        self.head = nn.Linear(hidden or size, outputs)

    def forward(self, picture: Tensor) -> Tensor:
        """Turn float32 (b, bands, height, width) in [0, 1] into (b, outputs)."""
        features = self.features(picture)  # (b, c, h / 2^levels, w / 2^levels)
        numbers: Tensor = self.head(self.dense(features.flatten(1)))
        return numbers


class Decoder(nn.Module):
    """From a code to a picture.

    Args:
        bands: Channels of the picture: 1 or 3.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        channels: Features of the last two levels; each earlier one has twice as many.
        hidden: Features of the dense layer; 0 leaves it out.
        latent: Numbers in a code.
    """

    def __init__(
        self, *, bands: int, height: int, width: int, channels: int, hidden: int, latent: int
    ) -> None:
        super().__init__()
        shape = _Shape(bands, height, width, channels)
        self.inner = shape.inner
        dense = [nn.Linear(latent, hidden), nn.ReLU()] if hidden else []
        last = nn.Linear(hidden or latent, math.prod(self.inner))
        self.dense = nn.Sequential(*dense, last, nn.ReLU())
        layers: list[nn.Module] = []
        widths = shape.widths[::-1]
        for inside, outside in itertools.pairwise(widths):
            layers += [nn.ConvTranspose2d(inside, outside, 4, stride=2, padding=1), nn.ReLU()]
        layers += [
            nn.Conv2d(channels, shape.folded_bands, 3, padding=1),
            nn.PixelShuffle(shape.fold),
        ]
        self.features = nn.Sequential(*layers)

    def forward(self, code: Tensor) -> Tensor:
        """Turn float32 (b, latent) into logits (b, bands, height, width); their sigmoid is seen."""
        features = self.dense(code).unflatten(1, self.inner)  # (b, c, h / 2^levels, w / 2^levels)
        logits: Tensor = self.features(features)
        return logits


class Autoencoder(nn.Module):
    """An encoder and a decoder, with nothing between them.

    Args:
        bands: Channels of the picture: 1 or 3.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        channels: Features of the outer two levels.
        hidden: Features of the dense layers; 0 leaves them out.
        latent: Numbers in a code.
    """

    def __init__(
        self, *, bands: int, height: int, width: int, channels: int, hidden: int, latent: int
    ) -> None:
        super().__init__()
        self.bands, self.height, self.width, self.latent = bands, height, width, latent
        size = {"bands": bands, "height": height, "width": width}
        self.encoder = Encoder(**size, channels=channels, hidden=hidden, outputs=latent)
        self.decoder = Decoder(**size, channels=channels, hidden=hidden, latent=latent)

    def forward(self, picture: Tensor) -> Tensor:
        """Return logits of the picture that is made of a picture's code.

        Args:
            picture: float32 (b, bands, height, width) in [0, 1].
        """
        logits: Tensor = self.decoder(self.encode(picture))
        return logits

    def encode(self, picture: Tensor) -> Tensor:
        """Return the code of a picture, float32 (b, latent)."""
        code: Tensor = self.encoder(picture)
        return code


class VAE(nn.Module):
    """An encoder and a decoder with a Gaussian between them (Kingma & Welling, 2014).

    Args:
        bands: Channels of the picture: 1 or 3.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        channels: Features of the outer two levels.
        hidden: Features of the dense layers; 0 leaves them out.
        latent: Numbers in a code.
    """

    def __init__(
        self, *, bands: int, height: int, width: int, channels: int, hidden: int, latent: int
    ) -> None:
        super().__init__()
        self.bands, self.height, self.width, self.latent = bands, height, width, latent
        size = {"bands": bands, "height": height, "width": width}
        self.encoder = Encoder(**size, channels=channels, hidden=hidden, outputs=2 * latent)
        self.decoder = Decoder(**size, channels=channels, hidden=hidden, latent=latent)

    def forward(self, picture: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits of a picture that is drawn from a picture's posterior, and the posterior.

        Args:
            picture: float32 (b, bands, height, width) in [0, 1].
            noise: float32 (b, latent), drawn from N(0, I); zeros take the mean.

        Returns:
            Logits, shaped as the picture, and mean and log variance, each (b, latent).
        """
        mean, log_variance = self.posterior(picture)
        return self.decoder(reparametrise(mean, log_variance, noise)), mean, log_variance

    def posterior(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z | picture), each float32 (b, latent)."""
        mean, log_variance = self.encoder(picture).chunk(2, dim=1)
        return mean, log_variance

    def encode(self, picture: Tensor) -> Tensor:
        """Return the code of a picture: the posterior's mean, float32 (b, latent)."""
        return self.posterior(picture)[0]


def reparametrise(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Return z = mean + sigma * epsilon, so that gradients reach mean and sigma.

    Kingma & Welling, "Auto-Encoding Variational Bayes", 2014, section 2.4.

    Args:
        mean: float32 (b, latent).
        log_variance: float32 (b, latent), natural log of sigma squared.
        noise: float32 (b, latent), epsilon, drawn from N(0, I).
    """
    return mean + torch.exp(0.5 * log_variance) * noise
