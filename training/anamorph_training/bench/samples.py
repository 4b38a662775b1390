"""Pictures of any size to measure with, written to a file."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from anamorph.picture import Picture
from anamorph.vips import load_vips

Paint = Callable[[Path, int, int], None]

# Standard deviations in levels of 255, from single pixels to patches of 256. The amplitudes of
# photographs fall with frequency, so each octave holds as much (Field, 1987); lenses and sensors
# take some of the finest.
_LUMA: Final = (0.8, 2.5, 6.0, 12.0, 16.0, 20.0, 20.0, 20.0, 20.0)
_CHROMA: Final = (0.3, 0.5, 1.0, 2.0, 4.0, 6.0, 6.0, 6.0, 6.0)
_MIDDLE: Final = 120.0


def paint_noise(path: Path, height: int, width: int) -> None:
    """Write 8-bit RGB noise: the hardest picture to compress."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Picture(noise).save(path)


def paint_photograph(path: Path, height: int, width: int) -> None:
    """Write a PNG of smooth random patches of all sizes, which compresses as photographs do.

    It is computed in strips, so that the picture may be larger than memory.
    """
    luma = _octaves(_LUMA, height, width, seed=0)
    bands = [
        luma + _octaves(_CHROMA, height, width, seed=100 * band) + _MIDDLE for band in (1, 2, 3)
    ]
    picture = bands[0].bandjoin(bands[1:]).cast("uchar").copy(interpretation="srgb")
    picture.pngsave(str(path), compression=1, filter="all")


def _octaves(deviations: tuple[float, ...], height: int, width: int, *, seed: int) -> Any:
    """Return the sum of noise that is enlarged by 1, 2, 4, ... pixels."""
    vips = load_vips()
    total = vips.Image.gaussnoise(width, height, sigma=deviations[0], mean=0, seed=seed)
    for octave, deviation in enumerate(deviations[1:], start=1):
        factor = 2**octave
        columns, rows = math.ceil(width / factor) + 2, math.ceil(height / factor) + 2
        patches = vips.Image.gaussnoise(
            columns, rows, sigma=deviation, mean=0, seed=seed + octave
        ).copy_memory()
        total = total + patches.resize(factor, kernel="cubic").crop(factor, factor, width, height)
    return total
