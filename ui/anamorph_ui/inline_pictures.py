"""Pictures within the page itself: no file is kept for them."""

import base64
import html
from typing import Final

import numpy as np

from anamorph.picture import Picture

SHOWN: Final = 1600  # pixels across and down of what is shown at most
_PIXELATED: Final = 256  # pixels: smaller pictures are shown larger, each pixel as a square
_LOSSLESS: Final = 300_000  # pixels: larger pictures are shown as good WebP


def draw(picture: Picture, words: str, *, caption: str = "", most: int = SHOWN) -> str:
    """Return a picture as an HTML figure.

    Args:
        picture: Of any kind.
        words: What there is to see, for those who do not.
        caption: Below it.
        most: Pixels across and down that are shown at most.
    """
    bands = shrink(eight_bits(picture.bands), most)
    height, width = bands.shape[:2]
    kind = "webp" if height * width > _LOSSLESS else "png"
    small = " still-small" if max(height, width) < _PIXELATED else ""
    size = f'width="{width}" height="{height}"'
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure class="still{small}"><img {size} src="{as_address(bands, kind)}" '
        f'alt="{html.escape(words)}">{below}</figure>'
    )


def as_address(bands: np.ndarray, kind: str) -> str:
    """Return pixels, uint8 (height, width, bands), as an address that holds all of them.

    Args:
        bands: The pixels.
        kind: ``png`` or ``webp``.
    """
    quality = 95 if kind == "webp" else None
    data = Picture(np.ascontiguousarray(bands)).encode(kind, quality=quality)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def eight_bits(bands: np.ndarray) -> np.ndarray:
    """Return pixels of any accepted dtype as uint8."""
    if bands.dtype == np.uint16:
        bands = np.rint(bands / 257)
    elif bands.dtype == np.float32:
        bands = np.rint(np.clip(bands, 0, 1) * 255)
    return bands.astype(np.uint8)


def shrink(bands: np.ndarray, most: int) -> np.ndarray:
    """Return pixels (height, width, bands) that are at most so many across and down, by means."""
    step = -(-max(bands.shape[:2]) // most)
    if step <= 1:
        return bands
    height, width = (max(1, side // step) for side in bands.shape[:2])
    rows, columns = (min(step, side) for side in bands.shape[:2])
    cut = bands[: height * rows, : width * columns].astype(np.float32)
    means: np.ndarray = cut.reshape(height, rows, width, columns, -1).mean((1, 3))
    return means.astype(bands.dtype)
