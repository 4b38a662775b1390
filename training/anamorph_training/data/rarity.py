"""How rare pictures are by the density of their codes, and how often to show each because of it."""

from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anamorph.errors import InputError
from anamorph_training.data.batches import prepare
from anamorph_training.data.images import Stack

_BINS: Final = 10
_AT_ONCE: Final = 256
_LEAST: Final = -600.0  # natural log of the least weight beside the greatest, so that none is 0
_MOST: Final = 200_000  # pictures that can be encoded again and again


class Rarity(nn.Module):
    """The chance with which each picture of a data set is drawn; kept in a run's checkpoints.

    Args:
        count: Pictures in the data set; all are equally likely at first.
    """

    weights: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.full((count,), 1 / count, dtype=torch.float64))

    def _load_from_state_dict(self, state: Any, prefix: str, *arguments: Any) -> None:
        """Take the chances of however many pictures; that the data have changed is told later."""
        self.weights = torch.empty_like(state[f"{prefix}weights"])
        super()._load_from_state_dict(state, prefix, *arguments)

    def update(self, codes: NDArray[np.floating], choice: "Choice") -> None:
        """Take the chances from codes, as `rarity` does: float (n, latent)."""
        self.weights.copy_(torch.from_numpy(rarity(codes, choice)))


class Choice(Protocol):
    """What a recipe's configuration says of how unevenly pictures are drawn."""

    @property
    def alpha(self) -> float:
        """Above 0; the greater, the more alike the chances."""

    @property
    def most_often(self) -> float:
        """Greatest chance, as a multiple of the mean one; 1 or more."""


def rarity(codes: NDArray[np.floating], choice: Choice) -> NDArray[np.float64]:
    """Return chances that grow as the density of codes falls, up to a bound.

    ``w(z) = prod_i 1 / (Q_i(z_i) + alpha)``, where Q_i is the histogram of latent i, as shares of
    all. Amini et al., "Uncovering and Mitigating Algorithmic Bias through Learned Latent
    Structure", 2019, eq. 3. The bound is our own: without it, few pictures that lie at the edge of
    several latents can be nearly all that is drawn, and nothing else is learnt any more.

    Args:
        codes: Float (n, latent).
        choice: Alpha and the bound.

    Returns:
        float64 (n,), which add up to 1.
    """
    logarithms = np.zeros(len(codes))
    for values in codes.T:
        counts, edges = np.histogram(values, _BINS)
        places = np.clip(np.digitize(values, edges) - 1, 0, _BINS - 1)
        logarithms -= np.log(counts[places] / len(codes) + choice.alpha)
    weights = np.exp(np.maximum(logarithms - logarithms.max(), _LEAST))
    return _bound(weights, choice.most_often / len(codes))


def _bound(weights: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """Return chances in proportion to weights, but none above ``most``; they add up to 1."""
    falling = np.sort(weights)[::-1]
    left = falling[::-1].cumsum()[::-1]  # the sum from each one on
    # where the k greatest stand at the bound, what they leave is shared by all others
    scales = np.maximum(1 - np.arange(len(falling)) * most, 0) / left
    first = np.argmax(scales * falling <= most)
    chances: NDArray[np.float64] = np.minimum(weights * scales[first], most)
    chances /= chances.sum()
    return chances


@torch.no_grad()
def encode_all(network: nn.Module, stack: Stack, device: torch.device) -> NDArray[np.float32]:
    """Return the codes of a whole data set, float32 (n, latent).

    Args:
        network: In evaluation mode; it has ``encode``.
        stack: The data set.
        device: Where the network is.
    """
    coder: Any = network
    codes = []
    for first in range(0, len(stack), _AT_ONCE):
        chosen = np.arange(first, min(first + _AT_ONCE, len(stack)))
        picture = prepare(stack.take(chosen), equal_energy=coder.size.equal_energy)
        codes.append(coder.encode(picture.to(device)).cpu().numpy())
    return np.concatenate(codes)


def check_countable(stack: Stack, option: str) -> None:
    """Refuse a data set that is too large to be encoded again and again.

    Raises:
        InputError: It is.
    """
    if len(stack) > _MOST:
        raise InputError(
            f"{option}: all pictures are encoded again and again, and {len(stack):,} are too many; "
            f"give up to {_MOST:,}, or leave it out"
        )
