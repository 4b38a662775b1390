"""Measure upscalers: PSNR and SSIM against the truth, per picture and on average."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from anamorph.errors import InputError
from anamorph.loading import load_upscaler
from anamorph.picture import Picture
from anamorph_training.data.folder import decode, find_pictures, to_rgb8
from anamorph_training.data.pairs import crop_to_multiple
from anamorph_training.degradation import CUBIC, LANCZOS3, Kernel, imresize, shrink
from anamorph_training.metrics import SSIM_WINDOW, luma, psnr_y, ssim_y
from anamorph_training.practical import degrade
from anamorph_training.sheets import write_sheet

Pixels = NDArray[np.uint8]
Enlarge = Callable[[Pixels], Pixels]
Degradation = Literal["bicubic", "practical"]

KERNELS: Final = {"bicubic": CUBIC, "lanczos": LANCZOS3}
_HIGH, _LOW = "_HR", "_LR"


@dataclass(frozen=True)
class Example:
    """One test picture: uint8 (height, width, 3) ``high``, and ``low``, smaller by ``scale``."""

    name: str
    scale: int
    high: Pixels
    low: Pixels


@dataclass(frozen=True)
class Score:
    """What one method reached on one picture.

    Attributes:
        image: Name of the picture.
        psnr_y: dB.
        ssim_y: At most 1.
        seconds: Time that enlarging took.
    """

    image: str
    psnr_y: float
    ssim_y: float
    seconds: float


@dataclass(frozen=True)
class Result:
    """What one method reached on a set.

    Attributes:
        model: Name of the method.
        psnr_y: Mean over the pictures, in dB.
        ssim_y: Mean over the pictures.
        images: One score per picture.
    """

    model: str
    psnr_y: float
    ssim_y: float
    images: tuple[Score, ...]


def read_pairs(folder: Path) -> list[Example]:
    """Read pairs NAME_HR.* and NAME_LR.*; the scale follows from their sizes.

    Raises:
        InputError: There are no pairs, a partner is missing, sizes do not belong together, or a
            picture is too small to measure.
    """
    files = find_pictures(folder)
    low_files = {path.with_name(path.name.replace(_LOW, _HIGH)): path for path in files}
    examples = []
    for path in files:
        if not path.stem.endswith(_HIGH):
            continue
        if path not in low_files or low_files[path] == path:
            raise InputError(f"{path}: has no partner that ends in {_LOW}{path.suffix}; add it")
        high, low = decode(path), decode(low_files[path])
        scale = round(high.shape[0] / low.shape[0])
        height, width = low.shape[0] * scale, low.shape[1] * scale
        if scale < 1 or abs(high.shape[0] - height) >= scale or abs(high.shape[1] - width) >= scale:
            raise InputError(
                f"{path}: {high.shape[1]} x {high.shape[0]} pixels are no whole multiple of its "
                f"partner's {low.shape[1]} x {low.shape[0]}; make the pair again"
            )
        _check_size(path, high[:height, :width], scale)
        name = path.stem.removesuffix(_HIGH)
        examples.append(Example(name, scale, high[:height, :width], low))
    if not examples:
        raise InputError(f"{folder}: holds no pairs; name them NAME{_HIGH}.png and NAME{_LOW}.png")
    return examples


def read_folder(
    folder: Path, scale: int, *, degradation: Degradation = "bicubic", seed: int = 0
) -> list[Example]:
    """Read pictures and shrink each by ``scale``.

    Args:
        folder: Searched with its sub-folders.
        scale: Pixels of a picture per pixel of its partner, along each axis.
        degradation: How partners are made: by `degradation.shrink` or by `practical.degrade`.
        seed: Of the practical degradation, 0 or more; with a picture's place in the folder it
            decides all.

    Raises:
        InputError: There are no pictures, one cannot be read or is too small to measure, or the
            seed is negative.
    """
    if seed < 0:
        raise InputError(f"a seed of {seed} cannot be; give 0 or a positive number")
    examples = []
    for index, path in enumerate(find_pictures(folder)):
        high = crop_to_multiple(decode(path), scale)
        _check_size(path, high, scale)
        name = path.relative_to(folder).with_suffix("").as_posix()
        if degradation == "practical":
            low = degrade(high, scale, np.random.default_rng([seed, index]))
        else:
            low = shrink(high, scale)
        examples.append(Example(name, scale, high, low))
    return examples


def _check_size(path: Path, high: Pixels, scale: int) -> None:
    least = SSIM_WINDOW + 2 * scale  # within the border that is cut off
    if min(high.shape[:2]) < least:
        raise InputError(
            f"{path}: {high.shape[1]} x {high.shape[0]} pixels are too small to measure; "
            f"give at least {least} x {least}"
        )


def find_method(
    name: str, scale: int, *, device: str, threads: int | None, tta: bool = False
) -> Enlarge:
    """Return what enlarges by ``scale``: ``bicubic``, ``lanczos``, or a model by name or path.

    Args:
        name: Of the method.
        scale: Pixels per pixel along each axis.
        device: What to run a model on.
        threads: Of a model; None takes the runtime's choice.
        tta: Take the mean over eight rotations and reflections; kernels stay as they are.

    Raises:
        InputError: The model enlarges by another scale.
        ModelNotFoundError: There is no such model.
    """
    if name in KERNELS:
        return partial(_interpolate, scale=scale, kernel=KERNELS[name])
    upscaler = load_upscaler(name, device=device, threads=threads)
    if upscaler.card.scale != scale:
        raise InputError(
            f"{name}: enlarges x{upscaler.card.scale}, the pictures are for x{scale}; "
            "choose a set or --scale that fits"
        )
    return lambda low: to_rgb8(upscaler.upscale(Picture(low), tta=tta))


def _interpolate(low: Pixels, scale: int, kernel: Kernel) -> Pixels:
    enlarged: Pixels = imresize(low, scale, kernel)
    return enlarged


def measure(
    model: str, enlarge: Enlarge, examples: Sequence[Example]
) -> tuple[Result, list[Pixels]]:
    """Enlarge every picture; return the scores and the pictures."""
    scores, pictures = [], []
    for example in examples:
        begin = time.perf_counter()
        picture = enlarge(example.low)
        seconds = time.perf_counter() - begin
        psnr = psnr_y(picture, example.high, example.scale)
        ssim = ssim_y(picture, example.high, example.scale)
        scores.append(Score(example.name, psnr, ssim, seconds))
        pictures.append(picture)
    mean_psnr = float(np.mean([score.psnr_y for score in scores]))
    mean_ssim = float(np.mean([score.ssim_y for score in scores]))
    return Result(model, mean_psnr, mean_ssim, tuple(scores)), pictures


def write_crops(
    path: Path,
    examples: Sequence[Example],
    methods: Sequence[str],
    pictures: Sequence[Sequence[Pixels]],
    *,
    side: int = 160,
) -> None:
    """Write a sheet of each picture's most detailed crop, all methods side by side.

    Args:
        path: PNG file to write.
        examples: Test pictures, one row each.
        methods: Names of the methods, one column each.
        pictures: What each method made of each example, in the same order.
        side: Greatest height and width of a crop, in pixels.
    """
    rows = []
    for index, example in enumerate(examples):
        nearest = example.low.repeat(example.scale, 0).repeat(example.scale, 1)
        row = [nearest, *(made[index] for made in pictures), example.high]
        top, left = _most_detailed(example.high, side)
        rows.append([picture[top : top + side, left : left + side] for picture in row])
    write_sheet(path, ["low resolution", *methods, "truth"], rows)


def _most_detailed(image: Pixels, side: int) -> tuple[int, int]:
    """Return the top and left of the crop with the strongest gradients."""
    y = luma(image)
    energy = np.zeros((y.shape[0] + 1, y.shape[1] + 1))
    gradients = np.abs(np.gradient(y, axis=0)) + np.abs(np.gradient(y, axis=1))
    energy[1:, 1:] = gradients.cumsum(0).cumsum(1)  # sums over crops are then four look-ups
    height, width = min(side, y.shape[0]), min(side, y.shape[1])
    sums = (
        energy[height:, width:]
        - energy[:-height, width:]
        - energy[height:, :-width]
        + energy[:-height, :-width]
    )
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(top), int(left)
