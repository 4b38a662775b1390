"""How voices were converted before networks: WORLD, pitch and envelope moved by mean and variance.

The pitch as in Toda, Black and Tokuda, 2007, section II.C; the envelope likewise, without their
mixture model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anamorph.audio import Audio
from anamorph_training.data.perturbation import find_envelope, load_world
from anamorph_training.data.voices import SAMPLE_RATE

_COEFFICIENTS: Final = 36
_QUIET: Final = 40.0  # dB below the loudest frame: no speech
_MOST_FILES: Final = 60  # of a speaker, for the statistics

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Of one speaker.

    Attributes:
        pitch: float64 (2,), mean and standard deviation of the natural log of voiced pitch.
        envelope: float64 (2, 36), of WORLD's coded envelope, where there is speech.
    """

    pitch: Floats
    envelope: Floats


def learn(files: Sequence[Path]) -> Statistics:
    """Take the statistics of a speaker's recordings, of 60 of them at most."""
    pitches, codes = [], []
    for path in files[:: max(1, len(files) // _MOST_FILES)][:_MOST_FILES]:
        pitch, _, code = _analyse(_samples(Audio.open(path)))
        pitches.append(np.log(pitch[pitch > 0]))
        loudness = code[:, 0] * 10 / np.log(10)
        codes.append(code[loudness > loudness.max() - _QUIET])
    pitch, code = np.concatenate(pitches), np.concatenate(codes)
    return Statistics(np.array([pitch.mean(), pitch.std()]), np.stack([code.mean(0), code.std(0)]))


def convert(audio: Audio, source: Statistics, target: Statistics) -> Audio:
    """Move a recording's pitch and envelope from one speaker's statistics to another's."""
    world = load_world()
    samples = _samples(audio)
    pitch, times, code = _analyse(samples)
    rest = world.d4c(samples, pitch, times, SAMPLE_RATE)
    logs = np.log(np.maximum(pitch, 1))
    moved = np.exp((logs - source.pitch[0]) / source.pitch[1] * target.pitch[1] + target.pitch[0])
    ratio = target.envelope[1] / source.envelope[1]
    shaped = (code - source.envelope[0]) * ratio + target.envelope[0]
    n_fft = 2 * (rest.shape[1] - 1)
    envelope = world.decode_spectral_envelope(np.ascontiguousarray(shaped), SAMPLE_RATE, n_fft)
    made = world.synthesize(np.where(pitch > 0, moved, 0), envelope, rest, SAMPLE_RATE)[
        : len(samples)
    ]
    gain = np.sqrt(np.mean(samples**2) / max(float(np.mean(made**2)), 1e-12))
    made = made * min(float(gain), 0.99 / max(float(np.abs(made).max()), 1e-9))
    return Audio(made.astype(np.float32), SAMPLE_RATE)


def _samples(audio: Audio) -> Floats:
    return np.array(audio.mono().resample(SAMPLE_RATE).samples, np.float64)


def _analyse(samples: Floats) -> tuple[Floats, Floats, Floats]:
    """Return pitch in Hz (0 unvoiced), times in seconds and coded envelope of frames."""
    pitch, times, envelope = find_envelope(samples, SAMPLE_RATE)
    return pitch, times, load_world().code_spectral_envelope(envelope, SAMPLE_RATE, _COEFFICIENTS)
