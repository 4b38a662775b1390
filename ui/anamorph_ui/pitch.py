"""Pitch by autocorrelation (Boersma, 1993), frame by frame, for a curve to look at.

librosa's own trackers crash the process with some releases of Numba, which a server cannot afford.
"""

from typing import Final

import numpy as np

_VOICED: Final = 0.5  # least autocorrelation, of 1
_QUIET_DB: Final = 40.0  # below the loudest frame: no pitch
_HIGHER: Final = 0.02  # what an octave up is worth: of two equal peaks the higher pitch is heard


def find_pitch(
    samples: np.ndarray,
    sample_rate: int,
    *,
    least: float,
    greatest: float,
    frame: int,
    hop: int,
) -> np.ndarray:
    """Find the pitch of every frame.

    Args:
        samples: float32 (samples,).
        sample_rate: Hz.
        least: Hz, of what is looked for; three of its periods fit into a frame.
        greatest: Hz.
        frame: Samples of a frame, centred.
        hop: Samples between frames.

    Returns:
        float64 (1 + samples // hop,), Hz, NaN where nothing is voiced.
    """
    padded = np.pad(samples.astype(np.float64), frame // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]
    frames = frames[: 1 + len(samples) // hop]
    power = frames.var(1)
    window = np.hanning(frame)
    shaped = (frames - frames.mean(1, keepdims=True)) * window
    similarity = _autocorrelate(shaped) / _autocorrelate(window[np.newaxis])
    shortest, longest = int(sample_rate / greatest), int(np.ceil(sample_rate / least))
    lags = np.arange(shortest - 1, longest + 2)
    near = similarity[:, lags] / np.maximum(similarity[:, :1], 1e-12)
    worth = near - _HIGHER * np.log2(lags / lags[0])
    peaks = np.zeros(near.shape, bool)
    peaks[:, 1:-1] = (near[:, 1:-1] >= near[:, :-2]) & (near[:, 1:-1] > near[:, 2:])
    best = np.where(peaks, worth, -np.inf).argmax(1)
    best = np.clip(best, 1, len(lags) - 2)
    before, at, after = (near[np.arange(len(best)), best + shift] for shift in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1), 0.0)
    pitch = sample_rate / (lags[best] + shift)
    heard = power > power.max(initial=0.0) * 10 ** (-_QUIET_DB / 10)
    voiced = peaks.any(1) & (at > _VOICED) & heard
    return np.where(voiced, pitch, np.nan)


def _autocorrelate(rows: np.ndarray) -> np.ndarray:
    """Return (rows, frame): of each row, at lags from 0 on."""
    length = rows.shape[1]
    spectrum = np.fft.rfft(rows, 2 * length)
    made: np.ndarray = np.fft.irfft(np.abs(spectrum) ** 2)[:, :length]
    return made
