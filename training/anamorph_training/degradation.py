"""Bicubic resizing as MATLAB's ``imresize`` does it: the degradation of the academic test sets.

Keys' cubic with a = -1/2, rows before columns; when shrinking, the kernel is widened by the factor
(antialiasing). Like the MATLAB releases of the test sets' time, edges are repeated outwards and
8-bit pictures are rounded after each axis: Set5's and Set14's LR images come out bit for bit.
(Later releases mirror the edges instead, which changes the outermost pixels alone.)
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# A picture uint8 (height, width, 3), a scale, and what decides all that is random; the
# low-resolution partner, smaller by the scale.
Degrade = Callable[[NDArray[np.uint8], int, np.random.Generator], NDArray[np.uint8]]


def cubic(x: Floats) -> Floats:
    """Keys' cubic convolution kernel (1981, a = -1/2) at distances ``x``, in samples."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def lanczos3(x: Floats) -> Floats:
    """Sinc windowed by its own central lobe, three lobes a side, at distances ``x``."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


@dataclass(frozen=True)
class Kernel:
    """An interpolation kernel and half of its support, in samples."""

    function: Callable[[Floats], Floats]
    radius: int


CUBIC: Final = Kernel(cubic, 2)
LANCZOS3: Final = Kernel(lanczos3, 3)


def to_uint8(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Round half up and clip to 0..255, as MATLAB converts to ``uint8``."""
    return np.clip(np.floor(image + 0.5), 0, 255).astype(np.uint8)


def imresize(image: NDArray[Any], factor: float, kernel: Kernel = CUBIC) -> NDArray[Any]:
    """Resize a picture along its first two axes.

    Args:
        image: (height, width) or (height, width, channels), uint8 or any float dtype.
        factor: Output pixels per input pixel; sizes are rounded up, as MATLAB rounds them.
        kernel: Weights of the neighbours; widened by the factor when shrinking.

    Returns:
        uint8 for uint8, rounded and clipped; else float64 in the input's units, not clipped.
    """
    rows = resize_rows(image, factor, kernel)
    columns = resize_rows(rows.swapaxes(0, 1), factor, kernel)
    return np.ascontiguousarray(columns.swapaxes(0, 1))


def shrink(image: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Make the low-resolution partner of a picture.

    Args:
        image: uint8 (height, width, channels); both sides multiples of ``scale``.
        scale: Pixels of the picture per pixel of its partner, along each axis.

    Returns:
        uint8 (height / scale, width / scale, channels).
    """
    assert image.shape[0] % scale == 0, "crop to a multiple of the scale first"
    assert image.shape[1] % scale == 0, "crop to a multiple of the scale first"
    return imresize(image, 1 / scale)


def resize_rows(image: NDArray[Any], factor: float, kernel: Kernel) -> NDArray[Any]:
    """Resize along the first axis alone; what is taken and returned is as for `imresize`."""
    indices, weights = _contributions(image.shape[0], factor, kernel)
    result = np.zeros((len(indices), *image.shape[1:]))
    per_row = (-1,) + (1,) * (image.ndim - 1)
    for tap in range(indices.shape[1]):
        result += weights[:, tap].reshape(per_row) * image[indices[:, tap]]
    return to_uint8(result) if image.dtype == np.uint8 else result


def _contributions(length: int, factor: float, kernel: Kernel) -> tuple[NDArray[np.int64], Floats]:
    """Return which input samples make up each output sample, and with what weight."""
    stretch = max(1.0, 1 / factor)
    # 1 / 3 is no exact float: without the slack, 300 pixels at 1 / 3 could become 101.
    outputs = math.ceil(length * factor - 1e-9)
    centres = (np.arange(outputs) + 0.5) / factor - 0.5
    taps = math.ceil(2 * kernel.radius * stretch) + 2
    first = np.floor(centres - kernel.radius * stretch).astype(np.int64)
    indices = first[:, None] + np.arange(taps)
    weights = kernel.function((centres[:, None] - indices) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(indices, 0, length - 1), weights
