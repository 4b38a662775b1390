"""Sets of pictures in which one kind is rare by a known share, to see what debiasing does.

Digits are told apart, of which the rare ones are black on white; or the shapes of sprites, of
which the rare ones have one of the three greatest sizes. Tests hold both kinds evenly.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anamorph.errors import InputError
from anamorph_training.data.images import (
    ArrayStack,
    Choice,
    Format,
    Images,
    check_format,
    fit,
    hold_some,
    is_sprites,
    name_dataset,
    read_images,
)
from anamorph_training.data.sprites import SIZES, Sprites
from anamorph_training.data.tables import Part, read_parts

_PARTS: Final[tuple[Part, Part]] = ("train", "test")
_SPRITES: Final[dict[Part, int]] = {"train": 50_000, "test": 3000}


@dataclass(frozen=True)
class Biased:
    """Pictures of two kinds.

    Attributes:
        pixels: uint8 (n, 1, height, width).
        labels: Their classes, int64 (n,).
        rare: Which are of the rare kind, bool (n,).
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    rare: NDArray[np.bool_]

    @property
    def digest(self) -> str:
        """SHA-256 of the pictures and their classes."""
        return hashlib.sha256(self.pixels.tobytes() + self.labels.tobytes()).hexdigest()


class BiasedChoice(Choice, Protocol):
    """What a recipe's configuration says of pictures of two kinds."""

    @property
    def classes(self) -> int:
        """Number of classes."""

    @property
    def rare_share(self) -> float:
        """Of the rare kind; 0 for data as is."""

    @property
    def seed(self) -> int:
        """Of the choice."""


def read_biased(choice: BiasedChoice) -> Images:
    """Read pictures with their classes, and make one kind rare where that is wanted.

    Raises:
        InputError: They cannot be used.
    """
    if not choice.rare_share:
        return read_images(choice)
    check_format(choice)
    share, seed = choice.rare_share, choice.seed
    training, held = (
        make_biased(choice.data, part, choice, share=share, seed=seed) for part in _PARTS
    )
    dataset = name_dataset(choice, training.digest, len(training.pixels))
    return Images(ArrayStack(training.pixels), training.labels, hold_some(held.pixels), dataset)


def check_labels(choice: BiasedChoice, images: Images) -> Tensor:
    """Return the class of each picture to learn from, int64 (n,).

    Raises:
        InputError: There are none, or other than the configuration says.
    """
    if images.labels is None:
        raise InputError(f"{choice.data}: has no classes; give --rare-share for those of sprites")
    count = int(images.labels.max()) + 1
    if count != choice.classes:
        raise InputError(f"{choice.data}: holds {count} classes; give --classes {count}")
    return torch.from_numpy(images.labels)


def make_biased(data: Path, part: Part, form: Format, *, share: float, seed: int) -> Biased:
    """Make a set in which one kind is rare.

    Args:
        data: An IDX file of digits, or ``sprites``.
        part: ``train``, or ``test``, of other pictures.
        form: What pictures a network takes.
        share: Of the rare kind among all; 0.5 for an even test.
        seed: Of the choice.
    """
    generator = np.random.default_rng([seed, len(part)])
    if is_sprites(data):
        return _sprites(generator, _SPRITES[part], share, odd=part == "test")
    found = read_parts(data)[part]
    pixels = fit(found.pixels.repeat(3, axis=1), form)
    rare = _choose(generator, len(pixels), share)
    pixels[rare] = 255 - pixels[rare]
    return Biased(pixels, found.labels, rare)


def _choose(generator: np.random.Generator, count: int, share: float) -> NDArray[np.bool_]:
    rare = np.zeros(count, bool)
    rare[generator.permutation(count)[: round(count * share)]] = True
    return rare


def _sprites(generator: np.random.Generator, count: int, share: float, *, odd: bool) -> Biased:
    sprites = Sprites()
    factors = np.stack([generator.integers(size, size=count) for size in SIZES], axis=1)
    rare = _choose(generator, count, share)
    half = SIZES[1] // 2
    factors[:, 1] = factors[:, 1] % half + np.where(rare, half, 0)
    factors[:, 4] ^= (factors.sum(axis=1) + odd) % 2  # so that no picture is in both parts
    return Biased(sprites.draw(factors), factors[:, 0].astype(np.int64), rare)
