"""Spectra of waveforms for losses, discriminators and figures: fast, differentiable, zero-padded.

Graphs that leave PyTorch compute theirs by matrices instead (`networks.mel`, `networks.fourier`).
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_POWER_FLOOR: Final = 1e-9  # under the root: keeps the gradient of silence finite
_LOG_FLOOR: Final = 1e-5
SILENCE: Final = math.log(_LOG_FLOOR)
"""Least value of a log-mel spectrogram."""
_TAPS: Final = 65
_ROLL_OFF: Final = 0.95  # of the bandwidth: where a filter of that length begins to close


def magnitude(waveform: Tensor, n_fft: int, hop_length: int) -> Tensor:
    """Return the magnitudes of the short-time Fourier transform.

    Args:
        waveform: float32 (batch, samples).
        n_fft: Samples per frame, under a periodic Hann window.
        hop_length: Samples from one frame to the next.

    Returns:
        float32 (batch, n_fft // 2 + 1, samples // hop_length).
    """
    padding = (n_fft - hop_length) // 2
    window = torch.hann_window(n_fft, device=waveform.device)
    spectrum = torch.stft(
        F.pad(waveform, (padding, padding)),
        n_fft,
        hop_length,
        window=window,
        center=False,
        return_complex=True,
    )
    return (spectrum.real.square() + spectrum.imag.square() + _POWER_FLOOR).sqrt()


@lru_cache(maxsize=32)
def _bands(sample_rate: int, n_fft: int, n_mels: int, fmax: float) -> Tensor:
    import librosa

    made = librosa.filters.mel(
        sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=0.0, fmax=fmax, dtype=np.float64
    )
    return torch.from_numpy(made).float()


def mel(magnitudes: Tensor, *, sample_rate: int, n_mels: int, fmax: float) -> Tensor:
    """Gather magnitudes (batch, bins, frames) into bands of Slaney's mel scale.

    Args:
        magnitudes: As `magnitude` returns them.
        sample_rate: Hz.
        n_mels: Number of bands.
        fmax: Upper edge of the highest, Hz.

    Returns:
        float32 (batch, n_mels, frames), amplitudes.
    """
    n_fft = 2 * (magnitudes.shape[1] - 1)
    return _bands(sample_rate, n_fft, n_mels, fmax).to(magnitudes.device) @ magnitudes


def log_amplitude(amplitudes: Tensor) -> Tensor:
    """Return the natural logarithm of amplitudes, floored at 1e-5 as HiFi-GAN does."""
    return amplitudes.clamp(min=_LOG_FLOOR).log()


def log_mel(waveform: Tensor) -> Tensor:
    """Return HiFi-GAN's log-mel spectrogram at 22.05 kHz, as `networks.mel.MelAnalysis` does.

    Args:
        waveform: float32 (batch, samples) in [-1, 1], at least one hop.

    Returns:
        float32 (batch, 80, samples // 256), natural log of amplitude.
    """
    return log_amplitude(
        mel(magnitude(waveform, 1024, 256), sample_rate=22050, n_mels=80, fmax=8000)
    )


def limit_bandwidth(waveform: Tensor, bandwidth: Tensor, sample_rate: int) -> Tensor:
    """Silence what lies above each waveform's bandwidth; what has it all stays as it is.

    Two waveforms that are limited alike differ only in what the bandwidth lets one know.

    Args:
        waveform: float32 (batch, samples).
        bandwidth: float32 (batch,), Hz; half the sample rate or more is all.
        sample_rate: Hz.
    """
    if bool((bandwidth >= sample_rate / 2).all()):
        return waveform
    times = torch.arange(_TAPS, device=waveform.device) - _TAPS // 2
    cut = 2 * _ROLL_OFF * bandwidth[:, None] / sample_rate  # (b, 1), of the Nyquist frequency
    window = torch.hann_window(_TAPS, periodic=False, device=waveform.device)
    kernels = cut * torch.sinc(cut * times) * window  # (b, taps)
    kernels = kernels / kernels.sum(1, keepdim=True)
    limited = F.conv1d(waveform[None], kernels[:, None], padding=_TAPS // 2, groups=len(waveform))
    return torch.where(bandwidth[:, None] < sample_rate / 2, limited[0], waveform)
