"""What spectral losses hear of phases, though no spectrogram tells them."""

import numpy as np
import torch
from torch import Tensor

from anamorph_training.spectral_losses import harmonic_error, spectral

RATE = 22050


def harmonics(seed: int, *, jitter: float = 0.0, first: int = 1, last: int = 7) -> Tensor:
    """Return a second of harmonics of 200 Hz; (1, samples). Their phases wander by ``jitter``."""
    generator = np.random.default_rng(seed)
    time = np.arange(RATE) / RATE
    sound = np.zeros(RATE)
    for number in range(first, last + 1):
        steps = np.cumsum(generator.normal(0, jitter, RATE // 256 + 2))
        wander = np.interp(np.arange(RATE), 256 * np.arange(len(steps)), steps)
        sound += np.cos(2 * np.pi * 200 * number * time + generator.uniform(0, 2 * np.pi) + wander)
    return torch.from_numpy(0.05 * sound.astype(np.float32))[None]


def test_wandering_phases_smear_harmonics() -> None:
    real = harmonics(0)
    steady, rough = (
        float(harmonic_error(harmonics(1, jitter=jitter), real, sample_rate=RATE))
        for jitter in (0.0, 0.6)
    )
    assert steady < 0.1  # which phases harmonics have is free
    assert rough > 5 * steady
    short = [
        float(spectral(harmonics(1, jitter=jitter), real, sample_rate=RATE)["convergence"])
        for jitter in (0.0, 0.6)
    ]
    assert rough - steady > 1.5 * (short[1] - short[0])  # shorter windows hear less of it


def test_high_harmonics_do_not_count() -> None:
    real = harmonics(0)
    high = harmonics(1, first=15, last=20)
    assert float(harmonic_error(real + high, real, sample_rate=RATE)) < 0.01
