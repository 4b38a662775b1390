"""Pictures that no network has seen, made from a seed, with a photograph's spectrum and edges."""

import numpy as np
from numpy.typing import NDArray

Batch = NDArray[np.float32]


def natural_pictures(count: int, height: int, width: int, *, seed: int) -> Batch:
    """Make pictures whose amplitude falls with frequency, crossed by coloured rectangles.

    Brightness grows from picture to picture, so that one that is ignored shows.

    Returns:
        float32 (count, 3, height, width) in [0, 1].
    """
    rng = np.random.default_rng(seed)
    pictures = np.empty((count, 3, height, width), np.float32)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    falloff = 1 / np.maximum(frequency, 1 / max(height, width, 2))
    for number in range(count):
        brightness = 0.3 + 0.4 * (number + 0.5) / count
        tint = rng.uniform(-0.1, 0.1, (3, 1, 1))
        noise = np.fft.rfft2(rng.standard_normal((3, height, width))) * falloff
        clouds = np.fft.irfft2(noise, (height, width))
        clouds *= 0.1 / max(float(clouds.std()), 1e-6)
        picture = brightness + tint + clouds - clouds.mean()
        for _ in range(4):
            top, left = rng.integers(height), rng.integers(width)
            bottom = top + rng.integers(1, height // 3 + 2)
            right = left + rng.integers(1, width // 3 + 2)
            picture[:, top:bottom, left:right] = rng.uniform(0, 1, (3, 1, 1))
        pictures[number] = np.clip(picture, 0, 1)
    return pictures


def random_pictures(count: int, height: int, width: int, *, seed: int) -> Batch:
    """Make pictures of independent, evenly spread values: float32 (count, 3, height, width)."""
    return np.random.default_rng(seed).random((count, 3, height, width), np.float32)
