"""Figures of an upscaler on pictures whose truth is known, beside bicubic's."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anamorph.card import Metric
from anamorph.errors import InputError
from anamorph_training.data.folder import decode
from anamorph_training.data.pairs import crop_to_multiple
from anamorph_training.degradation import imresize, shrink, to_uint8
from anamorph_training.metrics import psnr_y, ssim_y

Pixels = NDArray[np.uint8]
Pair = tuple[Pixels, Pixels]


@dataclass(frozen=True)
class Figures:
    """Means over a set of pictures, on the luma.

    Attributes:
        on: Name of the set.
        pictures: How many there are.
        psnr_y: dB.
        psnr_y_bicubic: dB, of bicubic enlargement.
        ssim_y: At most 1.
        ssim_y_bicubic: Of bicubic enlargement.
    """

    on: str
    pictures: int
    psnr_y: float
    psnr_y_bicubic: float
    ssim_y: float
    ssim_y_bicubic: float

    def metrics(self) -> tuple[Metric, ...]:
        """Return the figures as a card holds them."""
        return (
            Metric(
                name="psnr_y",
                on=self.on,
                value=round(self.psnr_y, 3),
                unit="dB",
                baseline=round(self.psnr_y_bicubic, 3),
            ),
            Metric(
                name="ssim_y",
                on=self.on,
                value=round(self.ssim_y, 4),
                baseline=round(self.ssim_y_bicubic, 4),
            ),
        )


def measure(
    on: str, pairs: Iterable[Pair], enlarge: Callable[[Pixels], Pixels], *, scale: int
) -> Figures:
    """Enlarge each picture and compare it with the truth.

    Args:
        on: Name of the set.
        pairs: Truth and its low-resolution partner, uint8 (height, width, 3) each.
        enlarge: Runs the model on one picture.
        scale: Output pixels per input pixel.
    """
    rows = []
    for high, low in pairs:
        bicubic = to_uint8(imresize(low, scale))
        rows.append(
            [
                figure(picture, high, scale)
                for figure in (psnr_y, ssim_y)
                for picture in (enlarge(low), bicubic)
            ]
        )
    means = [float(mean) for mean in np.minimum(rows, 100).mean(0)]
    return Figures(on, len(rows), *means)


def holdout_pairs(files: Iterable[Path], scale: int) -> list[Pair]:
    """Read held-out pictures and shrink each by MATLAB's bicubic."""
    highs = [crop_to_multiple(decode(path), scale) for path in files]
    return [(high, shrink(high, scale)) for high in highs]


def given_pairs(folder: Path, scale: int) -> list[Pair]:
    """Read a test set: ``NAME_HR.png`` beside ``NAME_LR.png``.

    Raises:
        InputError: There is no pair, or a pair's sizes do not fit the scale.
    """
    files = sorted(folder.glob("*_HR.png"))
    if not files:
        raise InputError(f"{folder}: holds no *_HR.png with *_LR.png beside it; give a test set")
    pairs = []
    for file in files:
        partner = file.with_name(file.name.replace("_HR.png", "_LR.png"))
        if not partner.is_file():
            raise InputError(f"{file}: its partner {partner.name} is missing; add it")
        high, low = decode(file), decode(partner)
        if high.shape[:2] != (low.shape[0] * scale, low.shape[1] * scale):
            raise InputError(
                f"{file}: its size {high.shape[:2]} is not {scale} times that of {partner.name}, "
                f"{low.shape[:2]}; give the set made for scale {scale}"
            )
        pairs.append((high, low))
    return pairs
