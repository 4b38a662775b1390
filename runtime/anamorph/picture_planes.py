"""Any picture as what graphs take: three planes of floats."""

import os
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from anamorph.errors import InputError
from anamorph.pixels import GREATEST
from anamorph.upscaler import as_picture

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    from anamorph.picture import Picture

MAX_SIDE: Final = 32_768  # pixels: a graph that resamples holds a weight per pixel of each side


def to_planes(
    picture: "str | os.PathLike[str] | bytes | Picture | PillowImage | np.ndarray",
) -> NDArray[np.float32]:
    """Return a picture as float32 (1, 3, height, width) in [0, 1], over white where transparent.

    Args:
        picture: Path or content of a file, a Picture, a Pillow image, or an array as
            ``Picture.pixels`` describes it.

    Raises:
        InputError: It cannot be used.
    """
    bands = as_picture(picture).bands
    if max(bands.shape[:2]) > MAX_SIDE:
        raise InputError(
            f"picture of {bands.shape[1]} x {bands.shape[0]} pixels: these models take up to "
            f"{MAX_SIDE:,} along each side; make it smaller"
        )
    values = bands.astype(np.float32) / np.float32(GREATEST[bands.dtype.name])
    if values.shape[2] in (2, 4):
        alpha = values[..., -1:]
        values = values[..., :-1] * alpha + (1 - alpha)
    rgb = np.broadcast_to(values, (*values.shape[:2], 3))
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None])
