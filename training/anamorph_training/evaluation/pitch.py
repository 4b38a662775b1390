"""The median pitch of recordings: measured, and moved through WORLD."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from anamorph.audio import Audio
from anamorph.errors import InputError
from anamorph_training.data.perturbation import Perturbation, perturb
from anamorph_training.data.voices import SAMPLE_RATE
from anamorph_training.evaluation.voice import analyse

_TOLERANCE: Final = 0.01  # of the median that is asked for
_MOST_ROUNDS: Final = 8


def median_pitch(sounds: Sequence[Audio]) -> float:
    """Return the median over every voiced frame of all, in Hz.

    Raises:
        InputError: One of them holds no speech, or none holds a voiced frame.
    """
    frames = np.concatenate([analyse(audio)[1] for audio in sounds])
    if not (frames > 0).any():
        raise InputError("recordings hold no voiced speech; give recordings of a voice")
    return float(np.median(frames[frames > 0]))


def move_pitch(sounds: Sequence[Audio], hertz: float) -> list[Audio]:
    """Say recordings again so that the median of all is another, to 1 % as `median_pitch` hears it.

    WORLD alone misses by up to 8 %: frames change from voiced to unvoiced and back as they move, so
    the factor is corrected by what is measured, in eight rounds at most.

    Raises:
        InputError: One of them holds no voiced speech.
    """
    samples = [np.array(audio.resample(SAMPLE_RATE).samples) for audio in sounds]
    factors = np.array([hertz / median_pitch([audio]) for audio in sounds])
    best, least = list(sounds), np.inf
    for _ in range(_MOST_ROUNDS):
        changes = [Perturbation(float(factor), 1.0, 0.0) for factor in factors]
        moved = [
            Audio(perturb(one, SAMPLE_RATE, [change])[0], SAMPLE_RATE)
            for one, change in zip(samples, changes, strict=True)
        ]
        measured = median_pitch(moved)
        if abs(measured / hertz - 1) < least:
            best, least = moved, abs(measured / hertz - 1)
        if least <= _TOLERANCE:
            break
        factors *= hertz / measured
    return best
