"""Bring a picture of any size to another one by two matrices, which any runtime multiplies alike.

The kernel is a triangle, widened where the picture shrinks: bilinear enlargement, and the usual
antialiased shrinking. Operators that resize differ between runtimes; products do not.
"""

from typing import Final

import torch
from torch import Tensor

_ENERGY: Final = 0.25
_LEAST_ENERGY: Final = 0.01
_LUMA: Final = (0.299, 0.587, 0.114)  # BT.601


def to_grey(picture: Tensor) -> Tensor:
    """Return the luma (b, 1, h, w) of RGB (b, 3, h, w), encoded as it is."""
    return sum(share * picture[:, i : i + 1] for i, share in enumerate(_LUMA))  # type: ignore[return-value]


def equalise(picture: Tensor) -> Tensor:
    """Scale pictures (b, c, h, w) in [0, 1] to the same energy: a root mean square of 1/4.

    What is drawn with a thin pen then weighs as much as what is drawn with a thick one; values may
    exceed 1.
    """
    energy = picture.square().mean((1, 2, 3), keepdim=True).sqrt()
    return picture * (_ENERGY / energy.clamp(min=_LEAST_ENERGY))


def resample(picture: Tensor, height: int | Tensor, width: int | Tensor) -> Tensor:
    """Resample float32 (b, c, rows, columns) to (b, c, height, width).

    Args:
        picture: Of any size.
        height: Of the result: a number, or a vector of that length.
        width: Of the result: a number, or a vector of that length.
    """
    down = _weights(picture[0, 0, :, 0], height)  # (height, rows)
    across = _weights(picture[0, 0, 0], width)  # (width, columns)
    return down @ (picture @ across.T)


def _weights(line: Tensor, size: int | Tensor) -> Tensor:
    """Return the share of each of a line's values in each result: (size, values)."""
    results = torch.ones(size) if isinstance(size, int) else torch.ones_like(size)
    places = torch.cumsum(torch.ones_like(line), 0) - 0.5  # centres, also of what traces sizes
    ratio = line.new_ones(()) * torch.ones_like(line).sum() / results.sum().to(line)
    centres = (torch.cumsum(results.to(line), 0) - 0.5) * ratio
    reach = ratio.clamp(min=1.0)
    weights = torch.relu(1 - (centres[:, None] - places[None]).abs() / reach)
    return weights / weights.sum(1, keepdim=True)
