"""Measure how real the texture of enlarged pictures is, beside their high-resolution originals.

PSNR rewards blur. These three figures ask instead what a viewer of a sharper picture would: is
there a grid in it, are the colours those of the original, and is there as much detail? Each is a
figure of one picture; `measure_texture` compares it with the same figure of the original.

All spectra are Welch's (1967), in two dimensions, of the luma of BT.601 in 16..235: blocks of
N x N pixels, N = 16 ``scale``, spread evenly over the picture with an overlap of half a block or
a little more. From each block y its mean under the window w is taken, then

    P(k) = mean over blocks of |DFT(w (y - mean))(k)|^2 / (N^2 sum w^2),   w = Hann x Hann,

so that the sum of P over all N^2 bins is the variance (levels^2), the frequency resolution is the
same for pictures of all sizes, and the harmonics of period ``scale`` fall on every 16th bin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anamorph.errors import InputError
from anamorph_training.degradation import shrink
from anamorph_training.evaluation.upscaling import Example
from anamorph_training.metrics import luma

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

_BINS_APART: Final = 16  # frequency bins between two harmonics
# A Hann window spreads a line over its own bin and the next on each side.
_PEAK_REACH: Final = 1
_NEIGHBOURS: Final = (3, 6)  # bins from the harmonic, along the axis that is further
# Variance that rounding to whole levels adds (levels^2): keeps flat pictures from dividing by 0.
_ROUNDING: Final = 1 / 12


@dataclass(frozen=True)
class TextureScore:
    """The texture of one enlarged picture.

    Attributes:
        image: Name of the picture.
        spectral_peak: `harmonic_peaks`, mean over the harmonics, divided by the original's.
        colour_cast: As `colour_cast`, mean over the channels, in levels of 255.
        colour_error: As `colour_error`, in levels of 255.
        high_frequency_energy: As `high_frequency_energy`, divided by the original's.
    """

    image: str
    spectral_peak: float
    colour_cast: float
    colour_error: float
    high_frequency_energy: float


@dataclass(frozen=True)
class Texture:
    """The texture of a set of enlarged pictures.

    Ratios are averaged as geometric means over the pictures. A mean of power would follow the few
    busiest pictures and not see a grid in a sky, where it is plainest; a median would not see one
    that only some pictures have. The logarithm gives each picture one vote and tames the outlier
    whose original happens to have a texture of this period.

    Attributes:
        spectral_peak: Geometric mean of the pictures' ratios; 1 for no more grid than in the
            originals.
        greatest_harmonic: The ratio of the one harmonic (the same in each picture) whose
            geometric mean is greatest. For diagnosis: of 9 (x4) noisy ratios the greatest is
            above 1 by chance.
        colour_cast: Mean over pictures and channels, in levels of 255.
        colour_error: Mean over the pictures, in levels of 255; never less than the cast.
        high_frequency_energy: Geometric mean of the pictures' ratios.
        images: One score per picture.
    """

    spectral_peak: float
    greatest_harmonic: float
    colour_cast: float
    colour_error: float
    high_frequency_energy: float
    images: tuple[TextureScore, ...]


def harmonic_peaks(picture: Pixels, scale: int) -> Floats:
    """Return how far the harmonics of period ``scale`` stand out of the luma's spectrum.

    Pixel shuffle and transposed convolution draw grids that repeat every ``scale`` pixels
    (Odena et al., 2016). The power of such a grid lies at the frequencies (a, b) / ``scale``
    cycles per pixel, a and b in 0..scale - 1 without (0, 0): at x4, 1/4 and 1/2 along either axis
    and all combinations. With P as in this module's description and q = 1 / (12 N^2), the power
    that rounding to 8 bits puts into each bin:

        peak(a, b) = (mean of P within 1 bin of it + q) / (mean of P at 3 to 6 bins from it + q),

    distances being the greater of the two axes', around the edge of the spectrum where need be.

    Args:
        picture: uint8 (height, width, 3), RGB; at least 16 ``scale`` pixels a side.
        scale: Period of the grid, in pixels.

    Returns:
        float64 (scale^2 - 1,), dimensionless, a before b; about 1 where nothing stands out.
    """
    power = _spectrum(picture, scale)
    floor = _ROUNDING / power.size
    bins = np.arange(len(power))
    peaks = []
    for a, b in product(range(scale), repeat=2):
        if (a, b) == (0, 0):
            continue
        rows, columns = (_circular(bins - _BINS_APART * index) for index in (a, b))
        distance = np.maximum(rows[:, None], columns)
        around = (distance >= _NEIGHBOURS[0]) & (distance <= _NEIGHBOURS[1])
        peak = power[distance <= _PEAK_REACH].mean() + floor
        peaks.append(peak / (power[around].mean() + floor))
    return np.array(peaks)


def colour_cast(picture: Pixels, original: Pixels, scale: int) -> Floats:
    """Return by how much the whole picture is tinted, per channel, in levels of 255.

    cast(c) = |mean over pixels of (S(picture) - S(original))(c)|, with S the bicubic `shrink` that
    makes low-resolution partners. Downscaling hardly changes this figure; it is taken where
    `colour_error` is, so that the one never exceeds the other.

    Args:
        picture: uint8 (height, width, 3), RGB; both sides multiples of ``scale``.
        original: The same for the original.
        scale: Pixels of the picture per pixel of the given one.

    Returns:
        float64 (3,).
    """
    cast: Floats = np.abs(_shrunk_difference(picture, original, scale).mean((0, 1)))
    return cast


def colour_error(picture: Pixels, original: Pixels, scale: int) -> float:
    """Return how far colours are off when the picture is shrunk again, in levels of 255.

    error = mean over pixels and channels of |S(picture) - S(original)|. S is `shrink`, MATLAB's
    bicubic with antialiasing and rounding to 8 bits, rather than a mean over areas, since that is
    what made the test sets' low-resolution pictures: S(original) is, bit for bit, what the model
    was given, so a model that keeps faith with its input comes to 0, and less of invented detail
    counts as an error of colour than in a mean over areas. (Detail just above the small picture's
    frequencies still does: S lets some of it through.) Compared with the original's colours, not
    the input's, so that it also holds where inputs are noisy.

    Args:
        picture: uint8 (height, width, 3), RGB; both sides multiples of ``scale``.
        original: The same for the original.
        scale: Pixels of the picture per pixel of the given one.
    """
    return float(np.abs(_shrunk_difference(picture, original, scale)).mean())


def high_frequency_energy(picture: Pixels, scale: int) -> float:
    """Return the luma's variance at the frequencies that the small picture cannot hold.

    E = sum of P(f) over |fx| > 1 / (2 scale) or |fy| > 1 / (2 scale), up to Nyquist, with P as in
    this module's description. All of this detail is the model's own; of an ideally low-passed
    photograph, some 1 % of its former E remains through the window's leakage.

    Args:
        picture: uint8 (height, width, 3), RGB; at least 16 ``scale`` pixels a side.
        scale: Pixels of the picture per pixel of the given one.

    Returns:
        Levels squared.
    """
    power = _spectrum(picture, scale)
    return float(power[_beyond(len(power), scale)].sum())


def least_side(scale: int) -> int:
    """Return how high and wide a picture must be to be measured, in pixels."""
    return _BINS_APART * scale


def check_sizes(examples: Sequence[Example]) -> None:
    """Refuse pictures that were not shrunk, or that are smaller than a block.

    Raises:
        InputError: A scale is 1, or a picture's height or width is below 16 times its scale.
    """
    for example in examples:
        if example.scale < 2:
            raise InputError(
                f"{example.name}: scale 1 leaves no texture to invent; give pictures for x2 or "
                "more, or leave out --texture"
            )
        height, width, _ = example.high.shape
        least = least_side(example.scale)
        if min(height, width) < least:
            raise InputError(
                f"{example.name}: {width} x {height} pixels are too small to measure texture; "
                f"give at least {least} x {least}, or leave out --texture"
            )


def measure_texture(pictures: Sequence[Pixels], examples: Sequence[Example]) -> Texture:
    """Compare the texture of enlarged pictures with that of their originals.

    The energy's ratio is (E(picture) + e) / (E(original) + e), with e the part of rounding's
    variance 1/12 that lies in the band; only flat originals notice it.

    Args:
        pictures: Enlarged from the examples, in their order: uint8 (height, width, 3).
        examples: Test pictures with their originals.

    Raises:
        InputError: A scale is 1, or a picture is smaller than 16 times its scale.
    """
    check_sizes(examples)
    scores, ratios = [], []
    for picture, example in zip(pictures, examples, strict=True):
        original, scale = example.high, example.scale
        peaks, true_peaks = (harmonic_peaks(image, scale) for image in (picture, original))
        band = _beyond(_BINS_APART * scale, scale)
        energy, true_energy = (
            high_frequency_energy(image, scale) + _ROUNDING * float(band.mean())
            for image in (picture, original)
        )
        ratios.append(peaks / true_peaks)
        scores.append(
            TextureScore(
                example.name,
                float(peaks.mean() / true_peaks.mean()),
                float(colour_cast(picture, original, scale).mean()),
                colour_error(picture, original, scale),
                energy / true_energy,
            )
        )
    return Texture(
        _geometric_mean([score.spectral_peak for score in scores]),
        float(np.exp(np.log(ratios).mean(0)).max()),
        float(np.mean([score.colour_cast for score in scores])),
        float(np.mean([score.colour_error for score in scores])),
        _geometric_mean([score.high_frequency_energy for score in scores]),
        tuple(scores),
    )


def measure_large(pictures: Sequence[Pixels], examples: Sequence[Example]) -> Texture | None:
    """Do as `measure_texture`, leaving out what is too small for it; None where nothing is left."""
    large = [
        (picture, example)
        for picture, example in zip(pictures, examples, strict=True)
        if least_side(example.scale) <= min(example.high.shape[:2])
    ]
    if not large:
        return None
    return measure_texture([picture for picture, _ in large], [example for _, example in large])


def _geometric_mean(ratios: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(ratios))))


def _spectrum(picture: Pixels, scale: int) -> Floats:
    """Return P of this module's description: float64 (16 scale, 16 scale), levels squared."""
    side = _BINS_APART * scale
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(side) / side)
    window = np.outer(hann, hann)
    y = luma(picture)
    blocks = sliding_window_view(y, (side, side))
    rows, columns = (_starts(length, side) for length in y.shape)
    total = np.zeros((side, side))
    for row in rows:  # one row of blocks at a time: memory stays small for large pictures
        block = blocks[row, columns]  # (columns, side, side)
        mean = (block * window).sum((1, 2), keepdims=True) / window.sum()
        total += (np.abs(np.fft.fft2((block - mean) * window)) ** 2).sum(0)
    scaled: Floats = total / (len(rows) * len(columns) * side**2 * (window**2).sum())
    return scaled


def _starts(length: int, side: int) -> NDArray[np.int64]:
    """Return where blocks begin: half a block apart or a little less, from edge to edge."""
    steps = -(-(length - side) // (side // 2))
    return np.rint(np.linspace(0, length - side, steps + 1)).astype(np.int64)


def _circular(distance: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distance around a circle of as many bins."""
    bins = len(distance)
    nearest: NDArray[np.int64] = np.minimum(distance % bins, -distance % bins)
    return nearest


def _beyond(side: int, scale: int) -> NDArray[np.bool_]:
    """Return which bins the small picture cannot hold: bool (side, side)."""
    beyond = np.abs(np.fft.fftfreq(side)) > 1 / (2 * scale)
    band: NDArray[np.bool_] = beyond[:, None] | beyond
    return band


def _shrunk_difference(picture: Pixels, original: Pixels, scale: int) -> NDArray[np.int16]:
    return shrink(picture, scale).astype(np.int16) - shrink(original, scale)
