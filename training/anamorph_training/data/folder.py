"""A folder of pictures: what is in it, what its content hashes to, and how one is decoded."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anamorph.errors import InputError
from anamorph.picture import Picture
from anamorph.picture_format import SUFFIXES
from anamorph_training.degradation import to_uint8


def find_pictures(folder: Path) -> list[Path]:
    """Return the picture files below a folder, sorted by relative name.

    Raises:
        InputError: There is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a folder of pictures")
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    if not found:
        accepted = " ".join(sorted(SUFFIXES))
        raise InputError(f"{folder}: holds no pictures; accepted are files that end in {accepted}")
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def decode(path: Path) -> NDArray[np.uint8]:
    """Read a picture as 8-bit RGB, upright: uint8 (height, width, 3).

    Raises:
        InputError: The file is no picture or is damaged.
    """
    return to_rgb8(Picture.open(path))


def to_rgb8(picture: Picture) -> NDArray[np.uint8]:
    """Return uint8 (height, width, 3), encoded as in the file, over white where transparent."""
    bands = picture.bands
    if bands.dtype != np.uint8:
        greatest = 65535 if bands.dtype == np.uint16 else 1
        bands = to_uint8(bands * (255 / greatest))
    if bands.shape[2] in (2, 4):
        alpha = bands[..., -1:] / 255
        bands = to_uint8(bands[..., :-1] * alpha + 255 * (1 - alpha))
    return np.ascontiguousarray(np.broadcast_to(bands, (*bands.shape[:2], 3)))


def folder_digest(folder: Path, files: list[Path]) -> str:
    """Return a SHA-256 over the files' relative names and contents, whatever their order."""
    total = hashlib.sha256()
    for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in files):
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()
