"""Graphs of models with a code: any picture in, brought to the network's size inside the graph."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anamorph.card import Port
from anamorph_training.latent_losses import kl_per_latent, negative_log_likelihood
from anamorph_training.networks.resampling import equalise, resample, to_grey


class Inlet(nn.Module):
    """Bring RGB pictures of any size to what a network takes.

    Args:
        network: Has a ``size``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        size: Any = network.size
        self.grey = size.bands == 1
        self.height, self.width = size.height, size.width
        self.equal_energy = size.equal_energy
        self.training = network.training

    def forward(self, picture: Tensor) -> Tensor:
        """Turn float32 (b, 3, rows, columns) in [0, 1] into (b, bands, height, width)."""
        fitted = resample(to_grey(picture) if self.grey else picture, self.height, self.width)
        return equalise(fitted) if self.equal_energy else fitted


class EncoderGraph(nn.Module):
    """From a picture to its code.

    Args:
        network: Has ``encode``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.inlet = Inlet(network)
        self.network = network
        self.training = network.training

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Turn float32 (b, 3, rows, columns) in [0, 1] into a code (b, latent)."""
        return (self.network.encode(self.inlet(picture)),)  # type: ignore[operator]


class PosteriorGraph(nn.Module):
    """From a picture to mean and standard deviation of its posterior.

    Args:
        network: Has ``posterior``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.inlet = Inlet(network)
        self.network = network
        self.training = network.training

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Turn float32 (b, 3, rows, columns) in [0, 1] into two of (b, latent)."""
        mean, log_variance = self.network.posterior(self.inlet(picture))  # type: ignore[operator]
        return mean, torch.exp(0.5 * log_variance)


class ClassifierGraph(nn.Module):
    """From a picture to its posterior and the chances of its classes.

    Args:
        network: Has ``posterior`` and ``classify``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.inlet = Inlet(network)
        self.network = network
        self.training = network.training

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Turn float32 (b, 3, rows, columns) in [0, 1] into two of (b, latent) and (b, class)."""
        fitted = self.inlet(picture)
        mean, log_variance = self.network.posterior(fitted)  # type: ignore[operator]
        chances = self.network.classify(fitted)  # type: ignore[operator]
        return mean, torch.exp(0.5 * log_variance), chances


class DecoderGraph(nn.Module):
    """From a code to an RGB picture.

    Args:
        network: Has ``decoder``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.decoder = network.decoder
        self.training = network.training

    def forward(self, code: Tensor) -> Tensor:
        """Turn float32 (b, latent) into (b, 3, height, width) in [0, 1]."""
        picture: Tensor = self.decoder.show(code)  # type: ignore[operator, union-attr]
        return torch.cat([picture] * 3, dim=1) if picture.shape[1] == 1 else picture


class DetectorGraph(nn.Module):
    """From a picture to how far each of its pixels is from normal, and the picture itself.

    What the network makes of a picture is compared with it. A median takes fine texture away, which
    no code holds; then the error is divided by what is usual at its place, so that edges, which
    never lie quite alike, do not count as defects.

    Args:
        network: Has ``encode`` and ``decoder``.
        usual: Mean error of normal pictures at each place, float32 (height, width), above 0.
        median: Side of the median's window, odd, in pixels of the network.
        hottest: Share of the pixels whose mean heat is the score, above 0.
    """

    usual: Tensor

    def __init__(self, network: nn.Module, usual: Tensor, *, median: int, hottest: float) -> None:
        super().__init__()
        self.inlet = Inlet(network)
        self.network = network
        self.median = median
        self.count = max(1, round(hottest * usual.numel()))
        self.register_buffer("usual", usual)
        self.training = network.training

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Turn float32 (b, 3, rows, columns) in [0, 1] into heat (b, rows, columns), score (b,)."""
        heat = self.error(picture) / self.usual  # (b, height, width)
        hottest, _ = torch.topk(heat.flatten(1), self.count, dim=1)
        # Vectors as long as the picture's sides tell the size without a shape.
        down, across = picture[0, 0, :, 0], picture[0, 0, 0]
        return resample(heat[:, None], down, across)[:, 0], hottest.mean(1)

    def error(self, picture: Tensor) -> Tensor:
        """Return the error of the network's picture: float32 (b, height, width), at least 0."""
        fitted = self.inlet(picture)
        code = self.network.encode(fitted)  # type: ignore[operator]
        made = self.network.decoder.show(code)  # type: ignore[operator, union-attr]
        each = _median((made - fitted).flatten(0, 1), self.median)  # (b * bands, height, width)
        return each.abs().view_as(made).mean(1)


def _median(plane: Tensor, side: int) -> Tensor:
    """Return the median of the window around each value of (b, h, w); edges are repeated."""
    if side == 1:
        return plane
    reach, (height, width) = side // 2, plane.shape[1:]
    padded = F.pad(plane[:, None], (reach,) * 4, mode="replicate")[:, 0]
    near = [
        padded[:, top : top + height, left : left + width]
        for top in range(side)
        for left in range(side)
    ]
    upper, _ = torch.topk(torch.stack(near, dim=-1), side * side // 2 + 1, dim=-1)
    return upper[..., -1]


class OutlierGraph(nn.Module):
    """From a picture to how rare it is, by four scores.

    Args:
        network: A VAE.
        codes: Means of the posteriors of normal pictures, float32 (n, latent): the bank.
        deviations: Their usual standard deviations, float32 (latent,): the unit of distances, by
            which a latent counts as much as it changes the picture.
        neighbours: How many of them are looked at.
        bins: Of each latent's histogram.
        alpha: What is added to a bin's share.
        noise: Standard deviation of the Gaussian likelihood; 0 for Bernoulli's.
    """

    middle: Tensor
    precision: Tensor
    deviations: Tensor
    bank: Tensor
    bank_squares: Tensor
    edges: Tensor
    surprise: Tensor

    def __init__(
        self,
        network: nn.Module,
        codes: Tensor,
        deviations: Tensor,
        *,
        neighbours: int,
        bins: int,
        alpha: float,
        noise: float,
    ) -> None:
        super().__init__()
        self.inlet = Inlet(network)
        self.network = network
        self.neighbours, self.noise = min(neighbours, len(codes)), noise
        middle = codes.mean(0)
        spread = torch.cov(codes.T.double(), correction=0) + 1e-6 * torch.eye(codes.shape[1])
        self.register_buffer("middle", middle)
        self.register_buffer("precision", torch.linalg.inv(spread).float())
        # Stored in float16 without a loss, so that the bank takes half the room.
        bank = (codes / deviations).half().float()
        self.register_buffer("deviations", deviations)
        self.register_buffer("bank", bank)
        self.register_buffer("bank_squares", bank.square().sum(1))
        # The outermost bins reach to infinity, so that what is further out is as rare as they are.
        reach = [(float(z.min()), float(z.max())) for z in codes.T]
        edges = torch.stack([torch.linspace(low, high, bins + 1) for low, high in reach])
        inner = edges[:, 1:-1]  # (latent, bins - 1)
        places = (codes[:, :, None] >= inner[None]).sum(2)  # (n, latent)
        shares = F.one_hot(places, bins).float().mean(0)  # (latent, bins)
        self.register_buffer("edges", inner)
        self.register_buffer("surprise", -torch.log(shares + alpha))
        self.training = network.training

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return neighbours, density, mahalanobis and elbo, each float32 (b,); more is stranger."""
        fitted = self.inlet(picture)
        mean, log_variance = self.network.posterior(fitted)  # type: ignore[operator]
        unlikely = self._unlikely(fitted, mean, log_variance)
        return self._far(mean), self._sparse(mean), self._away(mean), unlikely

    def _far(self, mean: Tensor) -> Tensor:
        """Return the mean distance to the nearest codes of the bank, in posterior deviations."""
        mean = mean / self.deviations
        squares = mean.square().sum(1, keepdim=True) - 2 * mean @ self.bank.T + self.bank_squares
        nearest, _ = torch.topk(-squares, self.neighbours, dim=1)
        return torch.sqrt((-nearest).clamp(min=1e-6)).mean(1)

    def _sparse(self, mean: Tensor) -> Tensor:
        """Return minus the log density by a histogram of each latent."""
        above = (mean[:, :, None] >= self.edges[None]).float().sum(2)  # (b, latent)
        bins = torch.cumsum(torch.ones_like(self.surprise), 1) - 1  # (latent, bins)
        chosen = torch.relu(1 - (bins[None] - above[:, :, None]).abs())  # 1 in its own bin
        return (chosen * self.surprise[None]).sum((1, 2))

    def _away(self, mean: Tensor) -> Tensor:
        """Return the Mahalanobis distance from the middle of the bank."""
        away = mean - self.middle
        return torch.sqrt(((away @ self.precision) * away).sum(1).clamp(min=0))

    def _unlikely(self, picture: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Return the negative evidence lower bound in nats, with the mean for its code."""
        made: Tensor = self.network.decoder(mean)  # type: ignore[operator]
        distortion = negative_log_likelihood(
            made,
            picture,
            likelihood="gaussian" if self.noise else "bernoulli",
            noise=self.noise,
        )
        return distortion + kl_per_latent(mean, log_variance).sum(1)


def code_port(name: str, meaning: str) -> Port:
    """Describe numbers of a code under their name in the graph."""
    least = 0.0 if meaning == "deviation" else None
    return Port(name=name, meaning=meaning, axes=("batch", "latent"), minimum=least)


def chances_port(name: str) -> Port:
    """Describe the chances of classes under their name in the graph."""
    return Port(name=name, meaning="chances", axes=("batch", "class"), minimum=0.0, maximum=1.0)


def score_port(name: str, unit: str) -> Port:
    """Describe one number per picture under its name in the graph: more is further from normal."""
    return Port(name=name, meaning="score", axes=("batch",), unit=unit)


def heat_port(name: str) -> Port:
    """Describe how far each pixel is from normal, under its name in the graph."""
    return Port(
        name=name,
        meaning="heat",
        axes=("batch", "height", "width"),
        minimum=0.0,
        unit="times the usual error",
    )
