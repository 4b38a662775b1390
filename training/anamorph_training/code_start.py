"""How networks of codes are sized by a configuration, and where their linear ways begin."""

from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anamorph_training.data.batches import prepare
from anamorph_training.data.images import Stack, choose_evenly
from anamorph_training.loop.learner import Learner
from anamorph_training.networks.autoencoder import Size
from anamorph_training.options import Colour, Likelihood

_MOST: Final = 4096  # pictures that principal components are taken from
_LEAST: Final = 0.01  # of white: logits of less would be endless
_SHARE: Final = 0.01  # of the convolutions' weights that stay at first
_LOG_VARIANCE: Final = -4.0  # of a posterior that begins sure of itself


class Choice(Protocol):
    """What a recipe's configuration says of its network."""

    @property
    def height(self) -> int:
        """Of the pictures, in pixels."""

    @property
    def width(self) -> int:
        """Of the pictures, in pixels."""

    @property
    def colour(self) -> Colour:
        """Of the pictures."""

    @property
    def channels(self) -> int:
        """Features of the outer two levels."""

    @property
    def hidden(self) -> int:
        """Features of the dense layers."""

    @property
    def linear(self) -> bool:
        """Whether there is a linear way."""

    @property
    def likelihood(self) -> Likelihood:
        """How pixels deviate."""

    @property
    def equal_energy(self) -> bool:
        """Bring all pictures to the same energy."""


def make_size(choice: Choice) -> Size:
    """Return how large a configuration's network is."""
    return Size(
        bands=3 if choice.colour == "rgb" else 1,
        height=choice.height,
        width=choice.width,
        channels=choice.channels,
        hidden=choice.hidden,
        linear=choice.linear,
        likelihood=choice.likelihood,
        equal_energy=choice.equal_energy,
    )


@torch.no_grad()
def begin(learner: Learner[Any], stack: Stack) -> None:
    """Let a linear way begin as principal components, and the convolutions beside it from little.

    The code then holds the components with unit variance, as a VAE's prior has it. Networks without
    a linear way stay as they are.

    Args:
        learner: Its network and average are changed in place.
        stack: What is learnt from.
    """
    network = learner.network
    if not network.size.linear:
        return
    picture = prepare(
        stack.take(choose_evenly(len(stack), _MOST)), equal_energy=network.size.equal_energy
    )
    pixels = picture.flatten(1).numpy()
    down, middle = _components(pixels, network.latent)
    codes = (pixels - middle) @ down.T
    wanted = pixels
    if network.decoder.sigmoid:
        inner = np.clip(pixels, _LEAST, 1 - _LEAST)
        wanted = np.log(inner / (1 - inner))
    ones = np.ones((len(codes), 1), np.float32)
    up = np.linalg.lstsq(np.concatenate([codes, ones], axis=1), wanted, rcond=None)[0]
    _set(network.encoder.straight, down, -down @ middle)
    _set(network.decoder.straight, up[:-1].T, up[-1])
    for layer in (network.encoder.head, network.decoder.features[-2]):
        layer.weight.mul_(_SHARE)
        layer.bias.zero_()
    if hasattr(network, "posterior"):
        network.encoder.head.bias[network.latent : 2 * network.latent] = _LOG_VARIANCE
    learner.average.load_state_dict(network.state_dict())


def _components(
    pixels: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return rows that make components of unit variance of pictures less their mean, and that mean.

    Components that the pictures do not have are noise that says next to nothing.
    """
    middle = pixels.mean(0)
    _, spread, rows = np.linalg.svd(pixels - middle, full_matrices=False)
    deviation = np.maximum(spread / np.sqrt(len(pixels)), 1e-3)[:, None]
    down = np.zeros((count, pixels.shape[1]), np.float32)
    down[: len(rows)] = (rows / deviation)[:count]
    return down, middle


def _set(layer: torch.nn.Linear, weight: NDArray[Any], bias: NDArray[Any]) -> None:
    layer.weight.copy_(_tensor(weight))
    layer.bias.copy_(_tensor(bias))


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
