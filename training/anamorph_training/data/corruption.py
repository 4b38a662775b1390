"""What a denoising autoencoder has to undo."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def add_coarse_noise(
    picture: Tensor, *, cell: int, deviation: float, foreground: float, seed: tuple[int, ...]
) -> Tensor:
    """Add smooth blobs inside the foreground: Gaussian noise of a low resolution, enlarged.

    Noise as fine as pixels is undone by looking at the next ones; blobs as large as a lesion are
    undone only by knowing how a healthy picture looks. Each picture's noise lies at a place of its
    own. Kascenas et al., "Denoising Autoencoders for Unsupervised Anomaly Detection in Brain MRI",
    2022, section 2.

    Args:
        picture: float32 (b, bands, height, width) in [0, 1].
        cell: Pixels between neighbouring numbers of the noise.
        deviation: Standard deviation of these numbers, as a share of white.
        foreground: Pixels must be brighter than this to receive noise, as a share of white; below 0
            all do.
        seed: Of the noise.
    """
    generator = np.random.default_rng(seed)
    batch, bands, height, width = picture.shape
    rows, columns = -(-height // cell) + 1, -(-width // cell) + 1
    coarse = generator.standard_normal((batch, bands, rows, columns), np.float32)
    blobs = F.interpolate(
        torch.from_numpy(coarse), scale_factor=float(cell), mode="bilinear", align_corners=True
    )
    moves = generator.integers(cell, size=(batch, 2))
    noise = torch.stack(
        [
            one[:, top : top + height, left : left + width]
            for one, (top, left) in zip(blobs, moves, strict=True)
        ]
    )
    inside = (picture.amax(1, keepdim=True) > foreground).to(picture.dtype)
    return picture + deviation * noise.to(picture) * inside
