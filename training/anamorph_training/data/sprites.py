"""dSprites (Matthey et al., 2017), drawn from its factors when it is asked for: never stored.

Three shapes in six scales, forty orientations and 32 x 32 positions make 737,280 pictures of
64 x 64 pixels, black and white. Only the 720 shapes in their scales and orientations are kept in
memory; a position is where the window onto one of them lies.
"""

import hashlib
from functools import cached_property
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

FACTORS: Final = ("shape", "scale", "orientation", "x", "y")
SIZES: Final = (3, 6, 40, 32, 32)
SHAPES: Final = ("square", "ellipse", "heart")
SIDE: Final = 64  # pixels

Indices = NDArray[np.integer]

_SCALES: Final = np.linspace(0.5, 1.0, SIZES[1])
_EXTENT: Final = 13.0  # pixels from the middle of a square of scale 1 to its sides, at most
_CANVAS: Final = SIDE + SIZES[3] - 1
_SAMPLES: Final = 4  # points a pixel and axis, whose majority decides


class Sprites:
    """All pictures of dSprites, by number or by factors."""

    def __len__(self) -> int:
        return int(np.prod(SIZES))

    def factors(self, indices: Indices) -> NDArray[np.int64]:
        """Return each picture's factors.

        Args:
            indices: Integers (n,), 0 to 737,279.

        Returns:
            int64 (n, 5), in the order of ``FACTORS``, each from 0 to one below its size.
        """
        return np.stack(np.unravel_index(indices, SIZES), axis=1).astype(np.int64)

    def draw(self, factors: Indices) -> NDArray[np.uint8]:
        """Draw pictures.

        Args:
            factors: Integers (n, 5), as `factors` returns them.

        Returns:
            uint8 (n, 1, 64, 64), 0 or 255.
        """
        shape, scale, orientation, x, y = factors.T
        form = np.ravel_multi_index((shape, scale, orientation), SIZES[:3])
        windows = sliding_window_view(self._forms, (SIDE, SIDE), axis=(1, 2))
        drawn: NDArray[np.uint8] = windows[form, SIZES[4] - 1 - y, SIZES[3] - 1 - x]
        return drawn[:, None]

    def take(self, indices: Indices) -> NDArray[np.uint8]:
        """Draw the pictures of some numbers: uint8 (n, 1, 64, 64), 0 or 255."""
        return self.draw(self.factors(indices))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the 720 forms and of the sizes, which make all pictures."""
        return hashlib.sha256(self._forms.tobytes() + repr(SIZES).encode()).hexdigest()

    @cached_property
    def _forms(self) -> NDArray[np.uint8]:
        """Draw each shape in each scale and orientation: uint8 (720, 95, 95)."""
        points = (np.arange(_CANVAS * _SAMPLES) + 0.5) / _SAMPLES - _CANVAS / 2
        right, down = np.meshgrid(points, points)
        forms = []
        for shape in SHAPES:
            for scale in _SCALES:
                for turn in np.arange(SIZES[2]) * (2 * np.pi / SIZES[2]):
                    u = (np.cos(turn) * right + np.sin(turn) * down) / (scale * _EXTENT)
                    v = (np.cos(turn) * down - np.sin(turn) * right) / (scale * _EXTENT)
                    inside = _inside(shape, u, v)
                    cells = inside.reshape(_CANVAS, _SAMPLES, _CANVAS, _SAMPLES)
                    forms.append(cells.mean((1, 3)) >= 0.5)
        return np.stack(forms).astype(np.uint8) * np.uint8(255)


def _inside(shape: str, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which points of a plane a shape of about unit size covers."""
    if shape == "square":
        return np.maximum(abs(u), abs(v)) <= 0.8
    if shape == "ellipse":
        return u**2 + (v / 0.55) ** 2 <= 1
    # (x^2 + y^2 - 1)^3 = x^2 y^3, a heart about 2.3 wide and 2.1 high that stands upright
    x, y = u * 1.25, 0.1 - v * 1.25
    return (x**2 + y**2 - 1) ** 3 <= x**2 * y**3
