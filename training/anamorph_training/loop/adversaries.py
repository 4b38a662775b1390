"""Two networks that learn from each other: a generator and its discriminator."""

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from anamorph_training.loop.average import start_average
from anamorph_training.loop.checkpoints import Part
from anamorph_training.loop.optimizers import number

Network = TypeVar("Network", bound=nn.Module)

_SHIFTS: Final = 16  # along each axis: all phases of four halvings
_STREAM: Final = 1  # of a step's random numbers; stream 0 chose its crops


@dataclass(frozen=True)
class Adversaries(Generic[Network]):
    """A generator and its discriminator, and what trains them.

    Attributes:
        network: The generator.
        discriminator: Tells what it makes from what is real.
        average: Of the generator's weights.
        optimizers: Of the generator and of the discriminator.
        generator: The network, set up to compute on the device.
        critic: The discriminator, likewise.
        optimizer: The generator's, likewise.
        critic_optimizer: The discriminator's, likewise.
    """

    network: Network
    discriminator: nn.Module
    average: Network
    optimizers: tuple[Optimizer, Optimizer]
    generator: Any
    critic: Any
    optimizer: Any
    critic_optimizer: Any

    @property
    def parts(self) -> dict[str, Part]:
        """What a checkpoint keeps, by its names there."""
        return {
            "network": self.network,
            "discriminator": self.discriminator,
            "average": self.average,
            **number(self.optimizers),
        }

    @property
    def rate(self) -> float:
        """The generator's learning rate of this step."""
        rate: float = self.optimizers[0].param_groups[0]["lr"]
        return rate

    def generate(self, given: Tensor, *, learning: bool) -> Tensor:
        """Run the generator; without ``learning`` no gradient will be asked of it."""
        with torch.set_grad_enabled(learning):
            made: Tensor = self.generator(given)
        return made


def set_up_adversaries(
    fabric: Fabric,
    network: Network,
    discriminator: nn.Module,
    *,
    rates: tuple[float, float],
    betas: tuple[float, float],
    methods: tuple[str, ...] = (),
) -> Adversaries[Network]:
    """Set both networks up to be trained by Adam.

    Args:
        fabric: Where and how they compute.
        network: The generator, with the weights that it begins with.
        discriminator: Its adversary.
        rates: Greatest learning rates of the generator and of the discriminator, per step.
        betas: Decays of the first and second moments, per step.
        methods: Names of the discriminator's methods that are called beside ``forward``.
    """
    made = Adam(network.parameters(), lr=rates[0], betas=betas, fused=True)
    critic_made = Adam(discriminator.parameters(), lr=rates[1], betas=betas, fused=True)
    generator, optimizer = fabric.setup(network, made)
    critic, critic_optimizer = fabric.setup(discriminator, critic_made)
    for method in methods:
        critic.mark_forward_method(method)
    return Adversaries(
        network=network,
        discriminator=discriminator,
        average=start_average(network),
        optimizers=(made, critic_made),
        generator=generator,
        critic=critic,
        optimizer=optimizer,
        critic_optimizer=critic_optimizer,
    )


def shift(*images: Tensor, seed: int, step: int) -> tuple[Tensor, ...]:
    """Roll pictures for a discriminator by what belongs to a step: 0 to 15 pixels along each axis.

    Its strides give its gradient a grid (Odena et al., 2016). Were the phase always that of the
    generator's pixel shuffle, the generator would learn to draw it.

    Args:
        images: (batch, channels, height, width) each; all are rolled alike.
        seed: Of the run.
        step: Counted as the recipe likes.
    """
    rows, columns = np.random.default_rng([seed, step, _STREAM]).integers(_SHIFTS, size=2).tolist()
    return tuple(image.roll((rows, columns), (2, 3)) for image in images)
