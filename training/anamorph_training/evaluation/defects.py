"""Test sets of normal and anomalous pictures, some with a mask of what is not normal."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anamorph.errors import InputError
from anamorph_training.data.folder import decode, find_pictures
from anamorph_training.data.images import hold_out_files
from anamorph_training.data.tables import Part, read_parts

GOOD: Final = "good"
_MASK: Final = "_mask"


@dataclass(frozen=True)
class Example:
    """One picture of a test set.

    Attributes:
        name: Of its file, or its number.
        kind: ``good``, or what is wrong with it.
        pixels: uint8 (height, width, 3), RGB.
        mask: bool (height, width), True where not normal; None where nobody drew one.
    """

    name: str
    kind: str
    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None = None

    @property
    def wrong(self) -> bool:
        """Whether it is anomalous."""
        return self.kind != GOOD


def read_defects(data: Path, part: Part = "test") -> list[Example]:
    """Read a test set, the normal pictures of which no recipe learns from.

    Args:
        data: Folder with a sub-folder ``good``, of which every fifth picture is taken, and one per
            kind of defect with ``NAME_mask.png`` beside its pictures; or MedMNIST's .npz, whose
            class 0 is normal.
        part: Of the .npz.

    Raises:
        InputError: It is neither.
    """
    if data.is_file():
        return list(_from_table(data, part))
    _, held = hold_out_files(_good_files(data), data / GOOD, by_folder=False)
    rest = [file for file in find_pictures(data) if file.parent != data / GOOD]
    pictures = [file for file in rest if not file.stem.endswith(_MASK)]
    if not pictures:
        raise InputError(f"{data}: holds no defects; give a folder with one per kind beside good")
    normal = [_read(file, GOOD) for file in held]
    return normal + [_read(file, file.parent.name) for file in pictures]


def read_normal(data: Path) -> list[NDArray[np.uint8]]:
    """Return the normal pictures that recipes learn from: uint8 (height, width, 3) each.

    Raises:
        InputError: It is no such folder or file.
    """
    if data.is_file():
        found = read_parts(data)["train"]
        return [_rgb(one) for one in found.where(found.labels == 0).pixels]
    kept, _ = hold_out_files(_good_files(data), data / GOOD, by_folder=False)
    return [decode(file) for file in kept]


def _good_files(data: Path) -> list[Path]:
    if not (data / GOOD).is_dir():
        raise InputError(f"{data}: has no sub-folder {GOOD}; give a folder with normal pictures")
    return find_pictures(data / GOOD)


def _from_table(data: Path, part: Part) -> Iterator[Example]:
    found = read_parts(data)[part]
    for number, (pixels, label) in enumerate(zip(found.pixels, found.labels, strict=True)):
        yield Example(str(number), GOOD if label == 0 else f"class {label}", _rgb(pixels))


def _read(file: Path, kind: str) -> Example:
    pixels, mask = decode(file), file.with_name(f"{file.stem}{_MASK}.png")
    if kind == GOOD:
        return Example(file.name, kind, pixels, np.zeros(pixels.shape[:2], bool))
    drawn = decode(mask)[..., 0] > 127 if mask.is_file() else None
    return Example(file.name, kind, pixels, drawn)


def _rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(pixels[0][..., None], 3, axis=2)
