"""A convolutional encoder and decoder: one code per picture.

As in Burgess et al., "Understanding disentangling in beta-VAE" (2018), table 1, convolutions of
4 x 4 with stride 2 lead down to a few pixels, one dense layer to the code, and the same back. But
the outermost levels are folded: 2 x 2 or 4 x 4 pixels go into channels at once and out again
(Shi et al., 2016), which halves the time of a step and loses nothing.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anamorph_training.options import Likelihood

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


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large the pictures of a network are, and how wide it is.

    Attributes:
        bands: Channels of the picture: 1 or 3.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        channels: Features of the outer two levels; each further one has twice as many.
        hidden: Features of the dense layers; 0 leaves them out.
        linear: Add a linear way from all pixels to the code and back, beside the convolutions.
        likelihood: What comes out: ``bernoulli`` logits, or the mean of a ``gaussian``.
        equal_energy: Pictures are brought to the same energy beforehand; see `equalise`.

    Raises:
        ValueError: The size cannot be halved down to a few pixels.
    """

    bands: int
    height: int
    width: int
    channels: int
    hidden: int
    linear: bool = False
    likelihood: Likelihood = "bernoulli"
    equal_energy: bool = False

    @property
    def pixels(self) -> int:
        """Numbers in a picture."""
        return self.bands * self.height * self.width

    @property
    def levels(self) -> int:
        """How often the picture is halved."""
        return count_levels(self.height, self.width)

    @property
    def fold(self) -> int:
        """Pixels a side that go into channels at once."""
        return int(2 ** min(_MOST_FOLDED, self.levels // 2 or 1))

    @property
    def folded_bands(self) -> int:
        """Channels of the folded picture."""
        return self.bands * self.fold**2

    @property
    def widths(self) -> list[int]:
        """Features of each level, the outermost first."""
        count = self.levels - int(math.log2(self.fold)) + 1
        return [self.channels << max(0, level - 1) for level in range(count)]

    @property
    def inner(self) -> tuple[int, int, int]:
        """Shape of the innermost features."""
        return self.widths[-1], self.height >> self.levels, self.width >> self.levels


class Encoder(nn.Module):
    """From a picture to a few numbers.

    Args:
        size: Of the picture, and how wide the network is.
        latent: Numbers of a code, the first of those that come out.
        outputs: Numbers that come out.
    """

    def __init__(self, size: Size, *, latent: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.PixelUnshuffle(size.fold),
            nn.Conv2d(size.folded_bands, size.channels, 3, padding=1),
            nn.ReLU(),
        ]
        for inside, outside in itertools.pairwise(size.widths):
            layers += [nn.Conv2d(inside, outside, 4, stride=2, padding=1), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        inner, hidden = math.prod(size.inner), size.hidden
        self.dense = nn.Sequential(nn.Linear(inner, hidden), nn.ReLU()) if hidden else nn.Identity()
        self.head = nn.Linear(hidden or inner, outputs)
        self.straight = nn.Linear(size.pixels, latent) if size.linear else None
        self.others = outputs - latent

    def forward(self, picture: Tensor) -> Tensor:
        """Turn float32 (b, bands, height, width) in [0, 1] into (b, outputs)."""
        features = self.features(picture)  # (b, c, h / 2^levels, w / 2^levels)
        numbers: Tensor = self.head(self.dense(features.flatten(1)))
        if self.straight is not None:
            numbers = numbers + F.pad(self.straight(picture.flatten(1)), (0, self.others))
        return numbers


class Decoder(nn.Module):
    """From a code to a picture.

    Args:
        size: Of the picture, and how wide the network is.
        latent: Numbers in a code.
    """

    def __init__(self, size: Size, *, latent: int) -> None:
        super().__init__()
        self.inner = size.inner
        dense = [nn.Linear(latent, size.hidden), nn.ReLU()] if size.hidden else []
        last = nn.Linear(size.hidden or latent, math.prod(self.inner))
        self.dense = nn.Sequential(*dense, last, nn.ReLU())
        layers: list[nn.Module] = []
        for inside, outside in itertools.pairwise(size.widths[::-1]):
            layers += [nn.ConvTranspose2d(inside, outside, 4, stride=2, padding=1), nn.ReLU()]
        layers.append(nn.Conv2d(size.channels, size.folded_bands, 3, padding=1))
        self.features = nn.Sequential(*layers, nn.PixelShuffle(size.fold))
        self.straight = nn.Linear(latent, size.pixels) if size.linear else None
        self.sigmoid = size.likelihood == "bernoulli"

    def forward(self, code: Tensor) -> Tensor:
        """Turn float32 (b, latent) into (b, bands, height, width), before `show`."""
        features = self.dense(code).unflatten(1, self.inner)  # (b, c, h / 2^levels, w / 2^levels)
        picture: Tensor = self.features(features)
        if self.straight is not None:
            picture = picture + self.straight(code).view_as(picture)
        return picture

    def show(self, code: Tensor) -> Tensor:
        """Turn float32 (b, latent) into the picture that is seen, in [0, 1]."""
        picture: Tensor = self(code)
        return torch.sigmoid(picture) if self.sigmoid else picture.clamp(0.0, 1.0)


class Autoencoder(nn.Module):
    """An encoder and a decoder, with nothing between them.

    Args:
        size: Of the picture, and how wide the network is.
        latent: Numbers in a code.
    """

    def __init__(self, size: Size, *, latent: int) -> None:
        super().__init__()
        self.size, self.latent = size, latent
        self.encoder = Encoder(size, latent=latent, outputs=latent)
        self.decoder = Decoder(size, latent=latent)

    def forward(self, picture: Tensor) -> Tensor:
        """Return the picture that is made of a picture's code, before `Decoder.show`.

        Args:
            picture: float32 (b, bands, height, width) in [0, 1].
        """
        made: Tensor = self.decoder(self.encode(picture))
        return made

    def encode(self, picture: Tensor) -> Tensor:
        """Return the code of a picture, float32 (b, latent)."""
        code: Tensor = self.encoder(picture)
        return code


class VAE(nn.Module):
    """An encoder and a decoder with a Gaussian between them (Kingma & Welling, 2014).

    Args:
        size: Of the picture, and how wide the network is.
        latent: Numbers in a code.
    """

    def __init__(self, size: Size, *, latent: int) -> None:
        super().__init__()
        self.size, self.latent = size, latent
        self.encoder = Encoder(size, latent=latent, outputs=2 * latent)
        self.decoder = Decoder(size, latent=latent)

    def forward(self, picture: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return a picture that is made of a code from a picture's posterior, and the posterior.

        Args:
            picture: float32 (b, bands, height, width) in [0, 1].
            noise: float32 (b, latent), drawn from N(0, I); zeros take the mean.

        Returns:
            The picture before `Decoder.show`, and mean and log variance, each (b, latent).
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
