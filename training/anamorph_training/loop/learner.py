"""One network that Adam trains, its average, and the diary of its run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from lightning_fabric import Fabric
from torch import nn
from torch.optim import Adam

from anamorph_training.loop.average import start_average
from anamorph_training.loop.checkpoints import Part
from anamorph_training.loop.effort import Effort
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.loop.keeping import Keeper
from anamorph_training.loop.meter import Meter
from anamorph_training.loop.schedule import set_learning_rate, warm_cosine

Network = TypeVar("Network", bound=nn.Module)


class Choice(Protocol):
    """What a recipe's configuration says of its length, its learning rate and what it tells."""

    @property
    def steps(self) -> int:
        """Length of the run."""

    @property
    def learning_rate(self) -> float:
        """Greatest of Adam."""

    @property
    def final_learning_rate(self) -> float:
        """Of the last step."""

    @property
    def warm_up(self) -> int:
        """Steps over which it rises."""

    @property
    def log_every(self) -> int:
        """Steps between lines of metrics."""

    @property
    def check_every(self) -> int:
        """Steps between checkpoints."""

    @property
    def sample_every(self) -> int:
        """Steps between sample sheets."""


@dataclass(frozen=True)
class Learner(Generic[Network]):
    """A network, set up to learn.

    Attributes:
        network: The network itself.
        average: Of its weights.
        adam: Its optimiser itself.
        model: The network on its device.
        optimizer: Likewise.
        choice: Its learning rate.
    """

    network: Network
    average: Network
    adam: Adam
    model: Any
    optimizer: Any
    choice: Choice

    @property
    def parts(self) -> dict[str, Part]:
        """What a checkpoint keeps, by its names there."""
        return {"network": self.network, "average": self.average, "optimizer": self.adam}

    def set_rate(self, step: int) -> float:
        """Set the learning rate of a step, counted from 1, and return it."""
        rate = warm_cosine(
            step - 1,
            steps=self.choice.steps,
            warm_up=self.choice.warm_up,
            peak=self.choice.learning_rate,
            floor=self.choice.final_learning_rate,
        )
        set_learning_rate(self.adam, rate)
        return rate


def set_up_learner(fabric: Fabric, network: Network, choice: Choice) -> Learner[Network]:
    """Set a network up to be trained.

    Args:
        fabric: Where and how it computes.
        network: With the weights that it begins with.
        choice: A recipe's configuration.
    """
    adam = Adam(network.parameters(), lr=choice.learning_rate, fused=True)
    model, optimizer = fabric.setup(network, adam)
    return Learner(network, start_average(network), adam, model, optimizer, choice)


class Watch(Protocol):
    """Measures and shows a network while it trains."""

    def measure(self, step: int, journal: Journal, progress: Progress) -> None:
        """Measure after ``step`` steps, and tell."""

    def sample(self, step: int, run: Path) -> None:
        """Write the sheet of ``step`` steps into a run."""

    def keep(self, step: int) -> None:
        """Write what belongs beside the checkpoint of ``step`` steps."""


@dataclass(frozen=True)
class Diary:
    """What a run tells and keeps between its steps.

    Attributes:
        choice: A recipe's configuration.
        journal: For figures.
        progress: For people.
        meter: Means of what the loop measures.
        watch: What is measured and shown at times.
        keeper: Of checkpoints.
        parts: That they keep.
        effort: Time spent.
    """

    choice: Choice
    journal: Journal
    progress: Progress
    meter: Meter
    watch: Watch
    keeper: Keeper
    parts: dict[str, Part]
    effort: Effort

    def enter(self, step: int, *, learning_rate: float, stopping: bool) -> bool:
        """Tell and keep what is due after ``step`` steps; return whether the run shall leave.

        Args:
            step: Steps done.
            learning_rate: Of this step.
            stopping: Whether the run was asked to stop.
        """
        last = step == self.choice.steps
        if step % self.choice.log_every == 0 or last:
            figures, hours = self.meter.take(), self.effort.spent.cpu_hours
            self.journal.write(step, **figures, learning_rate=learning_rate, cpu_hours=hours)
            self.progress.show(step, loss=figures["loss"])
        check = step % self.choice.check_every == 0 or last
        if check:
            self.watch.measure(step, self.journal, self.progress)
        if step % self.choice.sample_every == 0 or last:
            self.watch.sample(step, self.keeper.run)
        if check or stopping:
            self.watch.keep(step)
            self.keeper.save(step, self.parts, self.effort.spent)
        if stopping and not last:
            run = self.keeper.run
            self.progress.say(f"{run}: stopped after step {step}; the same command continues")
        return stopping and not last
