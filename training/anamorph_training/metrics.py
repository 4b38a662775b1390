"""How near one picture is to another, under the protocol of the super-resolution literature.

PSNR and SSIM on the luma of BT.601 (16..235), with a border of ``scale`` pixels cut off; SSIM with
an 11 x 11 Gaussian window of sigma 1.5 (Wang et al., 2004).
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.float64]

SSIM_WINDOW: Final = 11  # pixels a side


def luma(image: Pixels) -> NDArray[np.float64]:
    """Return the Y of BT.601.

    Args:
        image: (height, width, 3) RGB, (height, width, 1) or (height, width) grey, in 0..255.

    Returns:
        float64 (height, width) in 16..235.
    """
    grey = np.atleast_3d(image).astype(np.float64)
    if grey.shape[2] == 1:
        grey = np.repeat(grey, 3, axis=2)
    y: NDArray[np.float64] = grey @ np.array([65.481, 128.553, 24.966]) / 255 + 16
    return y


def _inner_luma(image: Pixels, border: int) -> NDArray[np.float64]:
    y = luma(image)
    return y[border : y.shape[0] - border, border : y.shape[1] - border]


def psnr_y(image: Pixels, reference: Pixels, border: int) -> float:
    """Return the peak signal-to-noise ratio of the luma, in dB; infinite for equal pictures.

    Args:
        image: As for `luma`.
        reference: The truth, of the same height and width.
        border: Pixels to cut off on each side; the protocol takes the scale.
    """
    error = _inner_luma(image, border) - _inner_luma(reference, border)
    mean_square = float(np.mean(error**2))
    return math.inf if mean_square == 0 else 10 * math.log10(255**2 / mean_square)


def ssim_y(image: Pixels, reference: Pixels, border: int) -> float:
    """Return the structural similarity of the luma, at most 1.

    Args:
        image: As for `luma`; at least 11 pixels a side within the border.
        reference: The truth, of the same height and width.
        border: Pixels to cut off on each side; the protocol takes the scale.
    """
    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            _inner_luma(image, border),
            _inner_luma(reference, border),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
        )
    )
