"""Options that recipes share, and bounds of numbers, checked where the command line is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from anamorph_training.loop.device import Device, Precision


def _check_odd(type_: Any, value: int) -> None:
    if value < 1 or value % 2 == 0:
        raise ValueError(f"Must be odd and positive, not {value}.")


Positive = Annotated[int, Parameter(validator=Number(gte=1))]
Extent = Annotated[int, Parameter(validator=Number(gte=0))]
Rate = Annotated[float, Parameter(validator=Number(gt=0))]
Weight = Annotated[float, Parameter(validator=Number(gte=0))]
Multiple = Annotated[float, Parameter(validator=Number(gte=1))]
Zooms = tuple[Annotated[float, Parameter(validator=Number(gt=0, lt=1))], ...]
Share = Annotated[float, Parameter(validator=Number(gte=0, lt=1))]
Odd = Annotated[int, Parameter(validator=_check_odd)]
_RUNNING = Parameter(group="Running")
Colour = Literal["grey", "rgb"]
Likelihood = Literal["bernoulli", "gaussian"]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What decides no model: where and how a run computes, and what it tells."""

    device: Annotated[Device, _RUNNING] = "auto"
    """What to compute on."""
    precision: Annotated[Precision, _RUNNING] = "32-true"
    """Numbers to compute with; 16 bits pay on GPUs alone."""
    threads: Annotated[Extent, _RUNNING] = 0
    """Processor threads; 0 takes one per core."""
    log_every: Annotated[Positive, _RUNNING] = 50
    """Steps between lines of metrics."""
    tensorboard: Annotated[bool, _RUNNING] = True
    """Also write events for TensorBoard."""


@dataclass(frozen=True, kw_only=True)
class CodeOptions(RunOptions):
    """What every recipe shares whose network turns a picture into a code and back."""

    data: Path
    """Folder of pictures, IDX file of pictures, MedMNIST .npz, or sprites, which are drawn."""
    data_name: str = "own pictures"
    """Name of the data set, for the model's card."""
    licence: str = "unknown"
    """Licence of the data set, for the model's card."""
    by_folder: bool = False
    """Hold out every fifth sub-folder (a person each) instead of every fifth picture."""
    only: Annotated[tuple[int, ...], Parameter(negative=())] = ()
    """Learn from these classes alone; a folder's classes are its sub-folders, from 0."""
    without: Annotated[tuple[int, ...], Parameter(negative=())] = ()
    """Learn from all classes but these."""

    height: Positive = 64
    """Height that pictures are brought to, in pixels: a multiple of 8, 16 or 32."""
    width: Positive = 64
    """Width that pictures are brought to, in pixels: a multiple of 8, 16 or 32."""
    colour: Colour = "grey"
    """What pictures are brought to: their luma, or red, green and blue."""
    equal_energy: bool = False
    """Bring all pictures to the same energy, for outliers: thin lines then weigh as thick ones."""
    flip: bool = False
    """Mirror half of the pictures left to right."""
    shift: Extent = 0
    """Move pictures by up to so many pixels along each axis, their edges repeated."""

    latent: Positive = 10
    """Width of the latent space: numbers in a code."""
    channels: Positive = 32
    """Features of the outer two levels; each further one has twice as many."""
    hidden: Extent = 256
    """Features of the dense layers beside the code; 0 leaves them out."""
    linear: bool = False
    """Add a linear way from pixels to code and back, which begins as principal components."""
    likelihood: Likelihood = "bernoulli"
    """How pixels deviate from what is made: as coins, or by Gaussian noise."""
    noise: Rate = 0.1
    """Standard deviation of the Gaussian likelihood, as a share of white."""

    steps: Positive = 10_000
    """Length of the run, in optimiser steps."""
    batch: Positive = 64
    """Pictures per step."""
    learning_rate: Rate = 1e-3
    """Greatest learning rate of Adam, per step."""
    final_learning_rate: Rate = 1e-5
    """Learning rate of the last step, reached along a cosine."""
    warm_up: Extent = 200
    """Steps over which the learning rate rises from 0."""
    clip: Rate = 1000.0
    """Greatest norm of the gradient, whose unit is nats; longer ones are shortened to it."""
    average_decay: Share = 0.999
    """Share of the averaged weights that stays, per step."""
    seed: Extent = 1
    """Seed of the weights, of the choice of pictures and of all noise."""

    check_every: Positive = 500
    """Steps between checkpoints; each also measures the held-out pictures."""
    sample_every: Positive = 2500
    """Steps between sample sheets."""
