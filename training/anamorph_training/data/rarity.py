"""How rare pictures are by the density of their codes, and how often to show each because of it."""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anamorph.errors import InputError
from anamorph_training.data.batches import prepare
from anamorph_training.data.images import Stack

_BINS: Final = 10
_AT_ONCE: Final = 256
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

    def update(self, codes: NDArray[np.floating], alpha: float) -> None:
        """Take the chances from codes, as `rarity` does: float (n, latent)."""
        self.weights.copy_(torch.from_numpy(rarity(codes, alpha)))


def rarity(codes: NDArray[np.floating], alpha: float) -> NDArray[np.float64]:
    """Return chances that grow as the density of codes falls.

    ``w(z) = prod_i 1 / (Q_i(z_i) + alpha)``, where Q_i is the histogram of latent i, as shares of
    all. Amini et al., "Uncovering and Mitigating Algorithmic Bias through Learned Latent
    Structure", 2019, eq. 3.

    Args:
        codes: Float (n, latent).
        alpha: Above 0; the greater, the more alike the chances.

    Returns:
        float64 (n,), which add up to 1.
    """
    logarithms = np.zeros(len(codes))
    for values in codes.T:
        counts, edges = np.histogram(values, _BINS)
        places = np.clip(np.digitize(values, edges) - 1, 0, _BINS - 1)
        logarithms -= np.log(counts[places] / len(codes) + alpha)
    weights = np.exp(logarithms - logarithms.max())
    chances: NDArray[np.float64] = weights / weights.sum()
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
