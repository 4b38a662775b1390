"""Log-mel spectrogram as fixed convolutions: Kong et al., "HiFi-GAN", 2020, its mel at 22.05 kHz.

Differs from the paper's code in that edges are padded with zeros instead of mirrored, so that the
context is finite and the same everywhere.
"""

import math
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anamorph_training.networks.fourier import Basis, hann

# Added under the root. Spectra are in units of its own, in which it is 1: the exporter takes an
# addition of 1e-9 for one of nothing, and drops it.
_POWER_FLOOR: Final = 1e-9
_UNIT: Final = math.sqrt(_POWER_FLOOR)
_LOG_FLOOR: Final = 1e-5


class MelAnalysis(nn.Module):
    """Turn a waveform into a log-mel spectrogram.

    Args:
        sample_rate: Hz.
        n_fft: Samples per frame; the Hann window is as long.
        hop_length: Samples from one frame to the next.
        n_mels: Number of bands on Slaney's mel scale, each of equal area.
        fmin: Lower edge of the lowest band, Hz.
        fmax: Upper edge of the highest band, Hz.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 22050,
        n_fft: int = 1024,
        hop_length: int = 256,
        n_mels: int = 80,
        fmin: float = 0.0,
        fmax: float = 8000.0,
    ) -> None:
        super().__init__()
        import librosa

        self.hop_length = hop_length
        self.padding = (n_fft - hop_length) // 2
        bands = librosa.filters.mel(
            sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, dtype=np.float64
        )
        used = int(np.flatnonzero(bands.any(0))[-1]) + 1  # bins that a band takes in
        self.basis = Basis(n_fft=n_fft, bins=used)
        window, matrix = hann(n_fft) / _UNIT, bands[:, :used, None] * _UNIT
        self.window: Tensor
        self.bands: Tensor
        self.register_buffer("window", torch.from_numpy(window).float(), persistent=False)
        self.register_buffer("bands", torch.from_numpy(matrix).float(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Analyse a waveform.

        Args:
            waveform: float32 (batch, samples) in [-1, 1], at least one hop.

        Returns:
            float32 (batch, n_mels, samples // hop_length), natural log of amplitude.
        """
        padded = F.pad(waveform.unsqueeze(1), (self.padding, self.padding))  # (b, 1, samples)
        kernels = (self.basis() * self.window).unsqueeze(1)  # (2 * bins, 1, n_fft)
        spectrum = F.conv1d(padded, kernels, stride=self.hop_length)  # (b, 2 * bins, frames)
        real, imaginary = spectrum.chunk(2, dim=1)  # (b, bins, frames) each
        magnitude = (real.square() + imaginary.square() + 1).sqrt()
        mel = F.conv1d(magnitude, self.bands)  # (b, n_mels, frames)
        return mel.clamp(min=_LOG_FLOOR).log()
