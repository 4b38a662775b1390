"""Batches of small pictures, drawn when they are asked for and from the step alone."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anamorph_training.data.images import Stack
from anamorph_training.networks.resampling import equalise


@dataclass(frozen=True)
class Drawn:
    """What one step learns from.

    Attributes:
        picture: float32 (b, bands, height, width) in [0, 1].
        noise: float32 (b, latent), drawn from N(0, I).
        indices: Numbers of the pictures in the data set, int64 (b,).
    """

    picture: Tensor
    noise: Tensor
    indices: NDArray[np.int64]


class Choice(Protocol):
    """What a recipe's configuration says of its batches."""

    @property
    def batch(self) -> int:
        """Pictures per step."""

    @property
    def latent(self) -> int:
        """Numbers in a code."""

    @property
    def equal_energy(self) -> bool:
        """Bring all pictures to the same energy."""

    @property
    def flip(self) -> bool:
        """Mirror half of the pictures."""

    @property
    def shift(self) -> int:
        """Greatest move, in pixels."""

    @property
    def seed(self) -> int:
        """Of all that is drawn."""


def draw_batch(step: int, stack: Stack, choice: Choice, weights: Tensor | None = None) -> Drawn:
    """Draw the batch of a step; the same step and weights give the same batch.

    Args:
        step: Counted from 0.
        stack: To choose from.
        choice: A recipe's configuration.
        weights: Chance of each picture, float64 (n,), of any sum; None for equal ones.
    """
    generator = np.random.default_rng([choice.seed, step])
    if weights is None:
        indices = generator.integers(len(stack), size=choice.batch)
    else:
        sums = np.cumsum(weights.numpy())
        indices = np.searchsorted(sums, generator.random(choice.batch) * sums[-1], side="right")
    pixels = _augment(stack.take(indices), generator, choice)
    noise = generator.standard_normal((choice.batch, choice.latent), np.float32)
    picture = prepare(pixels, equal_energy=choice.equal_energy)
    return Drawn(picture, torch.from_numpy(noise), indices)


def _augment(
    pixels: NDArray[np.uint8], generator: np.random.Generator, choice: Choice
) -> NDArray[np.uint8]:
    """Mirror and move pictures, each by chance of its own."""
    if choice.flip:
        turned = generator.random(len(pixels)) < 0.5
        pixels = np.where(turned[:, None, None, None], pixels[..., ::-1], pixels)
    if not choice.shift:
        return pixels
    reach, (height, width) = choice.shift, pixels.shape[2:]
    padded = np.pad(pixels, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="edge")
    moves = generator.integers(2 * reach + 1, size=(len(pixels), 2))
    moved = [
        one[:, top : top + height, left : left + width]
        for one, (top, left) in zip(padded, moves, strict=True)
    ]
    return np.stack(moved)


def prepare(pixels: NDArray[np.uint8], *, equal_energy: bool) -> Tensor:
    """Return uint8 pictures as a network takes them: float32, of the same energy if it is so."""
    picture = to_float(pixels)
    return equalise(picture) if equal_energy else picture


def to_float(pixels: NDArray[np.uint8]) -> Tensor:
    """Turn uint8 pictures into float32 in [0, 1]."""
    return torch.tensor(pixels).float().div_(255)


class Batches:
    """Draw a batch for each step, when it is asked for.

    Nothing is drawn ahead, so that what is drawn may follow from what the network has learnt.

    Args:
        draw: Returns the batch of a step, counted from 0.
        start: Steps done so far.
        stop: Length of the run.

    Attributes:
        waited: Seconds spent on drawing.
    """

    def __init__(self, draw: Callable[[int], Drawn], *, start: int, stop: int) -> None:
        self.waited = 0.0
        self._draw = draw
        self._steps = range(start, stop)

    def __iter__(self) -> Iterator[Drawn]:
        for step in self._steps:
            begun = time.perf_counter()
            drawn = self._draw(step)
            self.waited += time.perf_counter() - begun
            yield drawn
