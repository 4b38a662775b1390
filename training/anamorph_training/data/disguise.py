"""Copies disguised further: average spectra of other utterances, and noise.

WORLD changes pitch and formants, but every copy keeps its recording's microphone, room and rest of
the timbre. A copy that is given the average spectrum of somebody else's utterance looks like what
will really be converted.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anamorph_training.spectra import SILENCE

_SPREAD_RATIO: Final = (0.7, 1.4)  # of a band's spread, at most
_NOISE: Final = (-9.5, -5.5)  # natural log of amplitude, uniform
_NOISE_SLOPE: Final = (-2.0, 1.0)  # from the lowest band to the highest, likewise

Floats = NDArray[np.float32]


def transplant(mel: Floats, own: Floats, given: Floats, share: float) -> Floats:
    """Give a spectrogram the mean and spread of another utterance, band by band.

    Args:
        mel: float32 (80, frames), natural log of amplitude.
        own: float32 (2, 80), mean and spread of the bands of its utterance.
        given: float32 (2, 80), likewise of the other one.
        share: Of the way from its own (0) to the other's (1).

    Returns:
        float32 (80, frames).
    """
    ratio = np.clip(given[1] / np.maximum(own[1], 0.1), *_SPREAD_RATIO) ** share
    mean = own[0] + share * (given[0] - own[0])
    moved = (mel - own[0][:, None]) * ratio[:, None] + mean[:, None]
    result: Floats = np.maximum(moved, SILENCE).astype(np.float32)
    return result


def add_noise(mel: Floats, generator: np.random.Generator) -> Floats:
    """Add steady noise of a random level and slope: float32 (80, frames), as it comes."""
    slope = np.linspace(0, generator.uniform(*_NOISE_SLOPE), len(mel))
    # A magnitude of Gaussian noise is Rayleigh distributed; a band averages some of them.
    grain = generator.normal(0, 0.3, mel.shape)
    noise = generator.uniform(*_NOISE) + slope[:, None] + grain
    return np.logaddexp(mel, noise).astype(np.float32)
