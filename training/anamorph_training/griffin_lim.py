"""The baseline of vocoders: Griffin and Lim, 1984, from a log-mel spectrogram."""

import numpy as np
from numpy.typing import NDArray

_ITERATIONS = 32

Floats = NDArray[np.float32]


def griffin_lim(log_mel: Floats, *, sample_rate: int = 22_050, hop_length: int = 256) -> Floats:
    """Guess the phases of a log-mel spectrogram until they agree with each other.

    Args:
        log_mel: float32 (bands, frames) as HiFi-GAN defines it: natural log of amplitude, 0 to
            8000 Hz, frames of 1024 samples.
        sample_rate: Hz.
        hop_length: Samples from one frame to the next.

    Returns:
        float32 (frames * hop_length,).
    """
    import librosa

    bands = librosa.filters.mel(
        sr=sample_rate, n_fft=1024, n_mels=len(log_mel), fmin=0.0, fmax=8000.0
    )
    amplitudes = np.maximum(np.linalg.pinv(bands) @ np.exp(log_mel), 0)
    # Its frames are centred on multiples of the hop, ours in the middle between two.
    made: Floats = librosa.griffinlim(
        amplitudes, n_iter=_ITERATIONS, hop_length=hop_length, n_fft=1024, random_state=0
    )
    length = log_mel.shape[1] * hop_length
    shifted = np.pad(made, (hop_length // 2, length))[:length]
    return shifted.astype(np.float32)
