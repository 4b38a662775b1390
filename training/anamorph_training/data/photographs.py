"""The photographs of a run: found, split into trained-on and held-out, and described."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from anamorph.card import Dataset
from anamorph.errors import InputError
from anamorph_training.data.folder import find_pictures, folder_digest
from anamorph_training.data.holdout import Held, crop_holdout, hold_out
from anamorph_training.data.pairs import Pair, default_cache, prepare_pairs
from anamorph_training.degradation import Degrade
from anamorph_training.validation import bicubic, mean_psnr


class Choice(Protocol):
    """What a recipe's configuration says of its photographs."""

    @property
    def data(self) -> Path:
        """Folder to learn from."""

    @property
    def valid(self) -> Path | None:
        """Folder of held-out photographs."""

    @property
    def cache(self) -> Path | None:
        """Folder for decoded pictures."""

    @property
    def data_name(self) -> str:
        """Name for the card."""

    @property
    def licence(self) -> str:
        """Licence for the card."""

    @property
    def scale(self) -> int:
        """Output pixels per input pixel."""


@dataclass(frozen=True)
class Photographs:
    """The photographs of a run.

    Attributes:
        training: Pairs to learn from.
        held: Pictures that are only measured.
        dataset: The first, as a card names them.
        bicubic_psnr: Of bicubic enlargement on the held-out pictures, in dB.
    """

    training: list[Pair]
    held: list[Held]
    dataset: Dataset
    bicubic_psnr: float


@dataclass(frozen=True)
class Found:
    """Files of photographs, none of them in both lists; no folder of held-out ones has none."""

    training: list[Path]
    held: list[Path]


def find_photographs(choice: Choice) -> Found:
    """Return the files of the folder to learn from and of the held-out folder.

    Raises:
        InputError: A folder is absent or empty, or all pictures are held out.
    """
    data = find_pictures(choice.data)
    valid = find_pictures(choice.valid) if choice.valid else []
    held = {path.resolve() for path in valid}
    rest = [path for path in data if path.resolve() not in held]
    if not rest:
        raise InputError(f"{choice.data}: all its pictures are in --valid too; give other folders")
    return Found(rest, valid)


def prepare_photographs(
    choice: Choice,
    found: Found,
    *,
    patch: int,
    report: Callable[[str], None],
    degrade: Degrade | None = None,
    zooms: tuple[float, ...] = (),
) -> Photographs:
    """Decode the pictures, and split those that can be used.

    Args:
        choice: A recipe's configuration.
        found: As `find_photographs` returns them.
        patch: Side of the largest low-resolution crop, in pixels.
        report: Told of progress and of each picture left out, one line each.
        degrade: Makes the low-resolution partners of held-out pictures; None shrinks bicubically.
        zooms: Learn also from copies of the pictures, shrunk to these shares of their sides.

    Raises:
        InputError: No picture can be used.
        OutputError: The cache's folder cannot be made.
    """
    prepare = partial(
        prepare_pairs,
        scale=choice.scale,
        patch=patch,
        cache=choice.cache or default_cache(),
        report=report,
    )
    pairs = prepare(found.training)
    training, held_out = (pairs, prepare(found.held)) if found.held else hold_out(pairs)
    dataset = Dataset(
        name=choice.data_name,
        licence=choice.licence,
        digest=folder_digest(choice.data, [pair.source for pair in training]),
        items=len(training),
    )
    files = [pair.source for pair in training]
    copies = [pair for zoom in zooms for pair in _shrunk(prepare, files, zoom)]
    held = crop_holdout(held_out, choice.scale, degrade)
    baseline = mean_psnr(held, choice.scale, [bicubic(item.low, choice.scale) for item in held])
    return Photographs(training + copies, held, dataset, baseline)


def _shrunk(prepare: Callable[..., list[Pair]], files: list[Path], zoom: float) -> list[Pair]:
    """Return pairs of shrunk pictures; those that become too small are left out, maybe all."""
    try:
        return prepare(files, zoom=zoom, report=lambda _: None)
    except InputError:
        return []
