"""A network that Muon trains, and discriminators that Adam trains beside it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from lightning_fabric import Fabric
from torch import nn
from torch.optim import Adam, Optimizer

from anamorph_training.loop.average import start_average
from anamorph_training.loop.checkpoints import Part, Resumed
from anamorph_training.loop.keeping import resume
from anamorph_training.loop.optimizers import Method, make_optimizers, number
from anamorph_training.loop.provenance import Record
from anamorph_training.loop.warm_start import take_over, take_over_critic

Network = TypeVar("Network", bound=nn.Module)


class Choice(Protocol):
    """What a recipe's configuration says of its length, its start and its optimisers."""

    @property
    def steps(self) -> int:
        """Length of the run."""

    @property
    def start(self) -> Path | None:
        """Run whose weights to begin with, wherever they fit."""

    @property
    def optimizer(self) -> Method:
        """Of the network."""

    @property
    def learning_rate(self) -> float:
        """Greatest of the network's matrices."""

    @property
    def other_learning_rate(self) -> float:
        """Greatest of what Muon does not take."""

    @property
    def discriminator_learning_rate(self) -> float:
        """Greatest of the discriminators."""

    @property
    def beta1(self) -> float:
        """Of the discriminators' Adam."""

    @property
    def beta2(self) -> float:
        """Of every Adam."""


@dataclass(frozen=True)
class Learners(Generic[Network]):
    """A network and its discriminators, set up to learn.

    Attributes:
        network: The network itself.
        average: Of its weights.
        discriminator: The discriminators themselves.
        made: All optimisers themselves, the discriminators' last.
        model: The network on its device.
        optimizers: Of the network, likewise.
        critic: The discriminators on their device.
        critic_optimizer: Theirs, likewise.
    """

    network: Network
    average: Network
    discriminator: nn.Module
    made: list[Optimizer]
    model: Any
    optimizers: list[Any]
    critic: Any
    critic_optimizer: Any

    @property
    def parts(self) -> dict[str, Part]:
        """What a checkpoint keeps, by its names there."""
        networks: dict[str, Part] = {"network": self.network, "average": self.average}
        return networks | {"discriminator": self.discriminator} | number(self.made)

    def zero_grad(self) -> None:
        """Forget the gradients of the network."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def step(self) -> None:
        """Move the weights of the network."""
        for optimizer in self.optimizers:
            optimizer.step()

    @contextmanager
    def teaching_critic(self) -> Iterator[None]:
        """Move the discriminators' weights by the gradient that is taken within."""
        self.critic.requires_grad_(True)
        self.critic_optimizer.zero_grad()
        yield
        self.critic_optimizer.step()
        self.critic.requires_grad_(False)  # they pass the gradient on, and keep none


def set_up_learners(
    fabric: Fabric, network: Network, discriminator: nn.Module, choice: Choice
) -> Learners[Network]:
    """Set both up to be trained.

    Args:
        fabric: Where and how they compute.
        network: With the weights that it begins with.
        discriminator: Its adversaries.
        choice: A recipe's configuration.
    """
    made = make_optimizers(
        network,
        method=choice.optimizer,
        rate=choice.learning_rate,
        other_rate=choice.other_learning_rate,
        beta2=choice.beta2,
    )
    critic_made = Adam(
        discriminator.parameters(),
        lr=choice.discriminator_learning_rate,
        betas=(choice.beta1, choice.beta2),
        fused=True,
    )
    model, *optimizers = fabric.setup(network, *made)
    critic, critic_optimizer = fabric.setup(discriminator, critic_made)
    return Learners(
        network=network,
        average=start_average(network),
        discriminator=discriminator,
        made=[*made, critic_made],
        model=model,
        optimizers=optimizers,
        critic=critic,
        critic_optimizer=critic_optimizer,
    )


def resume_learners(
    out: Path,
    learners: Learners[Network],
    choice: Choice,
    ancestor: Record | None,
    *,
    report: Callable[[str], None],
    take_critic: bool = False,
) -> tuple[Resumed, Record | None]:
    """Go on from the run's checkpoint, or begin with another run's weights.

    Args:
        out: Folder of the run.
        learners: Changed in place.
        choice: A recipe's configuration.
        ancestor: The run that it begins with, as `describe_start` returns it.
        report: Told in one line each.
        take_critic: Also begin with the other run's discriminators, where it has any that fit.

    Returns:
        Where it goes on, and the run that it began with.
    """
    resumed = resume(out, learners.parts, steps=choice.steps, report=report)
    if resumed.step:
        return resumed, (resumed.record or {}).get("start")
    if choice.start:
        take_over(choice.start, learners.network, learners.average, report=report)
        if take_critic:
            take_over_critic(choice.start, learners.discriminator, report=report)
    return resumed, ancestor
