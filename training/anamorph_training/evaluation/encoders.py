"""What turns pictures into codes: the folder of a run, or a model of the zoo or in a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

Encode = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Turns uint8 (n, bands, height, width) into codes, float32 (n, latent)."""

_AT_ONCE: Final = 512


def find_encoder(name: str) -> Encode:
    """Return the encoder that a name stands for.

    Args:
        name: Folder of a run of an autoencoder or VAE, zoo name, or file.

    Raises:
        InputError: It is none of them, or a model of another kind.
    """
    return _of_run(Path(name)) if (Path(name) / "config.json").is_file() else _of_model(name)


def _of_run(folder: Path) -> Encode:
    from anamorph_training.data.batches import prepare
    from anamorph_training.finished_run import read_run

    network: Any = read_run(folder).network
    equal = network.size.equal_energy

    @torch.inference_mode()
    def encode(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = [
            network.encode(prepare(pixels[i : i + _AT_ONCE], equal_energy=equal)).numpy()
            for i in range(0, len(pixels), _AT_ONCE)
        ]
        return np.concatenate(parts)

    return encode


def _of_model(name: str) -> Encode:
    from anamorph.loading import load_autoencoder

    model = load_autoencoder(name, device="cpu")

    def encode(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = []
        for first in range(0, len(pixels), _AT_ONCE):
            planes = pixels[first : first + _AT_ONCE].astype(np.float32) / np.float32(255)
            parts.append(model.encode_planes(np.repeat(planes, 3 // planes.shape[1], axis=1)))
        return np.concatenate(parts)

    return encode
