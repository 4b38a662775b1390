"""Data sets that come as one file of many pictures: IDX, as MNIST has it, and MedMNIST's .npz."""

import gzip
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from anamorph.errors import InputError

Part = Literal["train", "valid", "test"]

_IMAGES: Final = 0x0803
_LABELS: Final = 0x0801
_HELD_SHARE: Final = 10  # one of so many: the last ones of an IDX file
_MEDMNIST: Final[dict[Part, str]] = {"train": "train", "valid": "val", "test": "test"}


@dataclass(frozen=True)
class Labelled:
    """Pictures with their classes.

    Attributes:
        pixels: uint8 (n, bands, height, width).
        labels: int64 (n,).
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pixels)

    def where(self, kept: NDArray[np.bool_]) -> "Labelled":
        """Return those that a mask (n,) keeps."""
        return Labelled(self.pixels[kept], self.labels[kept])


def read_parts(file: Path) -> dict[Part, Labelled]:
    """Read grey pictures and their classes: ``train``, ``valid`` and ``test``.

    The last tenth of an IDX file is both ``valid`` and ``test``.

    Args:
        file: MedMNIST's .npz, or an IDX file of pictures, packed or not, whose labels lie beside
            it under the usual name.

    Raises:
        InputError: It is neither, or damaged.
    """
    return _read_medmnist(file) if file.suffix == ".npz" else _read_idx(file)


def _read_medmnist(file: Path) -> dict[Part, Labelled]:
    parts: dict[Part, Labelled] = {}
    try:
        with np.load(file, allow_pickle=False) as arrays:
            for part, name in _MEDMNIST.items():
                pixels, labels = arrays[f"{name}_images"], arrays[f"{name}_labels"]
                parts[part] = Labelled(pixels[:, None], labels[:, 0].astype(np.int64))
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise _refusal(file, str(error)) from None
    for one in parts.values():
        if one.pixels.ndim != 4 or one.pixels.dtype != np.uint8:
            raise _refusal(file, f"its pictures are {one.pixels.dtype} {one.pixels.shape[2:]}")
    return parts


def _read_idx(file: Path) -> dict[Part, Labelled]:
    pixels = _read_array(file, _IMAGES)
    labels = _read_array(file.with_name(file.name.replace("images-idx3", "labels-idx1")), _LABELS)
    if len(pixels) != len(labels) or len(pixels) < _HELD_SHARE:
        raise _refusal(file, f"it holds {len(pixels)} pictures and {len(labels)} labels")
    whole = Labelled(pixels[:, None], labels.astype(np.int64))
    last = np.arange(len(whole)) >= len(whole) - len(whole) // _HELD_SHARE
    return {"train": whole.where(~last), "valid": whole.where(last), "test": whole.where(last)}


def _read_array(file: Path, kind: int) -> NDArray[np.uint8]:
    try:
        data = file.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except FileNotFoundError:
        raise InputError(
            f"{file}: no such file; IDX has its labels in a file of their own"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise _refusal(file, str(error)) from None
    axes = kind & 0xFF
    shape = np.frombuffer(data[4 : 4 + 4 * axes], ">u4").astype(int)
    if int.from_bytes(data[:4], "big") != kind or len(data) != 4 + 4 * axes + np.prod(shape):
        raise _refusal(file, "it begins or ends otherwise than IDX of bytes does")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _refusal(file: Path, reason: str) -> InputError:
    return InputError(
        f"{file}: is neither IDX pictures nor MedMNIST's .npz ({reason}); give one of them, or a "
        "folder of pictures"
    )
