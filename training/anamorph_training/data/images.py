"""Small pictures of one size, all in memory: from a folder, an IDX file, MedMNIST, or drawn.

What is held out: every fifth picture by name, or every fifth sub-folder (a person each); the last
tenth of an IDX file; the validation part of MedMNIST; every 1009th of dSprites.
"""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from anamorph.card import Dataset
from anamorph.errors import InputError
from anamorph.picture import Picture
from anamorph_training.data.arrays import save_array
from anamorph_training.data.folder import decode, find_pictures, folder_digest
from anamorph_training.data.sprites import SIDE, Sprites
from anamorph_training.data.tables import Labelled, Part, read_parts
from anamorph_training.networks.autoencoder import count_levels
from anamorph_training.networks.resampling import resample, to_grey
from anamorph_training.options import Colour, Likelihood

Pixels = NDArray[np.uint8]
_SPRITES: Final = "sprites"
_AT_ONCE: Final = 256
_EVERY: Final = 5
_EVERY_SPRITE: Final = 1009
_MOST_HELD: Final = 256  # kept with a run and measured while it trains
LEARNT_FILE: Final = "learnt.npy"
_PARTS: Final[tuple[Part, Part]] = ("train", "valid")


class Choice(Protocol):
    """What a recipe's configuration says of its pictures."""

    @property
    def data(self) -> Path:
        """What to learn from."""

    @property
    def data_name(self) -> str:
        """Name for the card."""

    @property
    def licence(self) -> str:
        """Licence for the card."""

    @property
    def by_folder(self) -> bool:
        """Hold out whole sub-folders."""

    @property
    def only(self) -> tuple[int, ...]:
        """Labels to learn from."""

    @property
    def without(self) -> tuple[int, ...]:
        """Labels to leave out."""

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
    def equal_energy(self) -> bool:
        """Bring all pictures to the same energy."""

    @property
    def likelihood(self) -> Likelihood:
        """How pixels deviate."""


class Stack(Protocol):
    """Pictures by number."""

    def __len__(self) -> int: ...

    def take(self, indices: NDArray[np.integer]) -> Pixels:
        """Return uint8 (n, bands, height, width)."""


@dataclass(frozen=True)
class ArrayStack:
    """Pictures in memory: uint8 (n, bands, height, width)."""

    pixels: Pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, indices: NDArray[np.integer]) -> Pixels:
        """See `Stack`."""
        taken: Pixels = self.pixels[indices]
        return taken


class TrainingSprites:
    """All of dSprites but every 1009th picture, which is held out."""

    def __init__(self) -> None:
        self.sprites = Sprites()
        self.held = np.arange(0, len(self.sprites), _EVERY_SPRITE)

    def __len__(self) -> int:
        return len(self.sprites) - len(self.held)

    def take(self, indices: NDArray[np.integer]) -> Pixels:
        """See `Stack`."""
        return self.sprites.take(indices + indices // (_EVERY_SPRITE - 1) + 1)


@dataclass(frozen=True)
class Images:
    """The pictures of a run.

    Attributes:
        training: To learn from.
        labels: Their classes, int64 (n,); none for dSprites.
        held: uint8 (n, bands, height, width), held out, evenly chosen, at most 256.
        dataset: What is learnt from, as a card names it.
    """

    training: Stack
    labels: NDArray[np.int64] | None
    held: Pixels
    dataset: Dataset


def read_images(choice: Choice) -> Images:
    """Read, shrink and split the pictures that a configuration names.

    Raises:
        InputError: They are not there, damaged, too few, or of another kind.
    """
    check_format(choice)
    if is_sprites(choice.data):
        return _draw_sprites(choice)
    training, held, digest = split_images(choice)
    _require(choice, len(training), len(held))
    dataset = name_dataset(choice, digest, len(training))
    return Images(ArrayStack(training.pixels), training.labels, hold_some(held.pixels), dataset)


def check_format(choice: Choice) -> None:
    """Refuse a size that networks cannot take.

    Raises:
        InputError: It is one, or one that sprites are not drawn in.
    """
    try:
        count_levels(choice.height, choice.width)
    except ValueError as error:
        raise InputError(f"--height, --width: {error}") from None
    if choice.equal_energy and choice.likelihood != "gaussian":
        raise InputError("--equal-energy: pictures are then no coins; give --likelihood gaussian")
    size = (choice.height, choice.width, choice.colour)
    if is_sprites(choice.data) and size != (SIDE, SIDE, "grey"):
        raise InputError(
            f"--data sprites: they are drawn grey, {SIDE} x {SIDE}; give no other size"
        )


def hold_some(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return at most 256 of the pictures, evenly chosen."""
    return pixels[:: max(1, -(-len(pixels) // _MOST_HELD))]


def choose_evenly(count: int, most: int) -> NDArray[np.int64]:
    """Return the numbers of at most so many of a count of things, evenly chosen."""
    return np.linspace(0, count - 1, min(most, count)).astype(np.int64)


def name_dataset(choice: Choice, digest: str, items: int) -> Dataset:
    """Return what is learnt from, as a card names it."""
    return Dataset(name=choice.data_name, licence=choice.licence, digest=digest, items=items)


def is_sprites(data: Path) -> bool:
    """Tell whether dSprites is meant, and no folder of that name."""
    return str(data) == _SPRITES and not data.exists()


def _require(choice: Choice, training: int, held: int) -> None:
    if training < 1 or held < 1:
        raise InputError(
            f"{choice.data}: leaves {training} pictures to learn from and {held} to hold out; give "
            "more pictures, or other --only, --without or --by-folder"
        )


def _draw_sprites(choice: Choice) -> Images:
    training = TrainingSprites()
    dataset = name_dataset(choice, training.sprites.digest, len(training))
    held = training.sprites.take(hold_some(training.held))
    return Images(training, None, held, dataset)


def split_images(choice: Choice) -> tuple[Labelled, Labelled, str]:
    """Return what to learn from, all that is held out, and a digest of the first.

    Raises:
        InputError: They are not there, damaged, or of another kind.
    """
    if choice.data.is_file():
        parts = read_parts(choice.data)
        digest = hashlib.sha256(choice.data.read_bytes()).hexdigest()
        training, apart = (_fitted(_chosen(parts[name], choice), choice) for name in _PARTS)
        return training, apart, digest
    files = find_pictures(choice.data)
    kept, held = hold_out_files(files, choice.data, by_folder=choice.by_folder)
    names = sorted({file.parent.name for file in files})
    training, apart = (_chosen(_read_files(paths, names, choice), choice) for paths in (kept, held))
    return training, apart, folder_digest(choice.data, kept)


def hold_out_files(
    files: list[Path], folder: Path, *, by_folder: bool
) -> tuple[list[Path], list[Path]]:
    """Split the pictures of a folder: every fifth, or every fifth sub-folder, is held out.

    Args:
        files: Sorted.
        folder: That they lie in.
        by_folder: Hold out whole sub-folders.
    """
    if not by_folder:
        held = range(_EVERY - 1, len(files), _EVERY) or range(len(files) - 1, len(files))
        return [f for i, f in enumerate(files) if i not in held], [files[i] for i in held]
    groups = sorted({file.parent for file in files}, key=lambda one: one.as_posix())
    apart = set(groups[_EVERY - 1 :: _EVERY] or groups[-1:])
    if len(groups) < 2:
        raise InputError(
            f"{folder}: its pictures lie in one folder; give one with a sub-folder per person, or "
            "leave --by-folder out"
        )
    return [f for f in files if f.parent not in apart], [f for f in files if f.parent in apart]


def _read_files(paths: list[Path], names: list[str], choice: Choice) -> Labelled:
    """Read and fit pictures; each one's class is the name of its folder."""
    size = (3 if choice.colour == "rgb" else 1, choice.height, choice.width)
    pixels = np.empty((len(paths), *size), np.uint8)
    for place, path in zip(pixels, paths, strict=True):
        place[:] = fit(decode(path).transpose(2, 0, 1)[None], choice)[0]
    return Labelled(pixels, np.array([names.index(path.parent.name) for path in paths], np.int64))


def _chosen(part: Labelled, choice: Choice) -> Labelled:
    kept = ~np.isin(part.labels, choice.without)
    return part.where(kept & np.isin(part.labels, choice.only) if choice.only else kept)


def _fitted(part: Labelled, choice: Choice) -> Labelled:
    size = (3 if choice.colour == "rgb" else 1, choice.height, choice.width)
    pixels = np.empty((len(part), *size), np.uint8)
    for first in range(0, len(part), _AT_ONCE):
        chosen = slice(first, first + _AT_ONCE)
        pixels[chosen] = fit(part.pixels[chosen].repeat(3, axis=1), choice)
    return Labelled(pixels, part.labels)


class Format(Protocol):
    """What pictures a network takes."""

    @property
    def height(self) -> int:
        """In pixels."""

    @property
    def width(self) -> int:
        """In pixels."""

    @property
    def colour(self) -> Colour:
        """Grey, or red, green and blue."""


def fit(pictures: Pixels, form: Format) -> Pixels:
    """Shrink or enlarge pictures to what a network takes, as the graphs of these models do.

    Args:
        pictures: uint8 (n, 3, rows, columns), RGB.
        form: What is wanted; grey is the luma of BT.601.

    Returns:
        uint8 (n, bands, height, width).
    """
    if not len(pictures):
        return np.empty((0, 1 if form.colour == "grey" else 3, form.height, form.width), np.uint8)
    planes = torch.tensor(pictures).float()
    if form.colour == "grey":
        planes = to_grey(planes)
    fitted: Pixels = resample(planes, form.height, form.width).round().byte().numpy()
    return fitted


def save_examples(run: Path, images: Images) -> None:
    """Write pictures into a run, so that export can measure without the data set.

    That is all that are held out, and up to 256 that are learnt from, evenly chosen. Those of an
    attempt that never reached a checkpoint go: this one may train on them.
    """
    folder = run / "holdout"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    for number, picture in enumerate(images.held):
        Picture(picture.transpose(1, 2, 0)).save(folder / f"{number:03}.png")
    chosen = choose_evenly(len(images.training), _MOST_HELD)
    save_array(run / LEARNT_FILE, images.training.take(chosen))
