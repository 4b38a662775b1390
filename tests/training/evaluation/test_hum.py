"""Hum at the frame rate: heard by the measure and by the loss, where there is any."""

import numpy as np
import pytest
import torch

from anamorph_training.evaluation.copying import hum
from anamorph_training.spectral_losses import average_spectrum_error

RATE = 22050


def noise(seed: int, *, humming: float = 0.0) -> np.ndarray:
    """Return two seconds of noise, and a pattern that every frame repeats."""
    generator = np.random.default_rng(seed)
    sound = generator.normal(0, 0.01, 2 * RATE)
    pattern = np.random.default_rng(99).normal(0, humming, 256)
    return (sound + np.resize(pattern, len(sound))).astype(np.float32)


def test_frames_that_are_alike_hum() -> None:
    assert hum([noise(seed) for seed in range(4)]) < 1.5
    assert hum([noise(seed, humming=0.01) for seed in range(4)]) > 6


def test_the_loss_hears_hum_through_the_noise() -> None:
    real, other, humming = (
        torch.from_numpy(np.stack([noise(seed, humming=level) for seed in range(first, first + 8)]))
        for first, level in ((0, 0.0), (100, 0.0), (200, 0.003))
    )
    plain = average_spectrum_error(other, real)
    assert average_spectrum_error(humming, real) > 1.3 * plain
    assert average_spectrum_error(real, real) == pytest.approx(0)
