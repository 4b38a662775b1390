"""Losses that compare waveforms by their spectra, at several resolutions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from anamorph_training.losses import l1
from anamorph_training.spectra import log_amplitude, magnitude, mel


@dataclass(frozen=True)
class Resolution:
    """One way to look at a waveform.

    Attributes:
        n_fft: Samples per frame; frames are a quarter of it apart.
        n_mels: Bands of the mel scale.
    """

    n_fft: int
    n_mels: int


RESOLUTIONS = (
    Resolution(256, 20),
    Resolution(512, 40),
    Resolution(1024, 80),
    Resolution(2048, 160),
)


def spectral(
    fake: Tensor,
    real: Tensor,
    *,
    sample_rate: int,
    resolutions: Sequence[Resolution] = RESOLUTIONS,
) -> dict[str, Tensor]:
    """Compare magnitudes and mel spectra; each value is a mean over the resolutions.

    Args:
        fake: float32 (batch, samples).
        real: Of the same shape.
        sample_rate: Hz.
        resolutions: How to look.

    Returns:
        ``convergence``: norm of the difference of magnitudes over that of the real ones (Yamamoto
        et al., "Parallel WaveGAN", 2020, eq. 4). ``magnitude``: mean absolute difference of log
        magnitudes (eq. 5), ``mel``: of log-mel amplitudes (Kong et al., "HiFi-GAN", 2020, eq. 3;
        at several scales: Kumar et al., "Descript Audio Codec", 2023), both natural logarithms.
    """
    convergence, log_magnitude, log_mels = [], [], []
    for resolution in resolutions:
        hop = resolution.n_fft // 4
        mine = magnitude(fake, resolution.n_fft, hop)
        with torch.no_grad():
            theirs = magnitude(real, resolution.n_fft, hop)
        convergence.append((mine - theirs).norm() / theirs.norm().clamp(min=1e-6))
        log_magnitude.append(l1(log_amplitude(mine), log_amplitude(theirs)))
        bands = [
            mel(one, sample_rate=sample_rate, n_mels=resolution.n_mels, fmax=sample_rate / 2)
            for one in (mine, theirs)
        ]
        log_mels.append(l1(log_amplitude(bands[0]), log_amplitude(bands[1])))
    return {
        "convergence": torch.stack(convergence).mean(),
        "magnitude": torch.stack(log_magnitude).mean(),
        "mel": torch.stack(log_mels).mean(),
    }


def average_spectrum_error(fake: Tensor, real: Tensor, *, n_fft: int = 4096) -> Tensor:
    """Compare log magnitudes averaged over time and batch, finely over frequency.

    A vocoder whose frames are alike hums at multiples of their rate, mostly in pauses. One frame
    hardly shows that beside the randomness of noise; the average does.

    Args:
        fake: float32 (batch, samples).
        real: Of the same shape.
        n_fft: Samples per frame; frames are a quarter of it apart.

    Returns:
        Mean absolute difference of natural logarithms.
    """
    with torch.no_grad():
        theirs = log_amplitude(magnitude(real, n_fft, n_fft // 4)).mean((0, 2))
    return l1(log_amplitude(magnitude(fake, n_fft, n_fft // 4)).mean((0, 2)), theirs)


def harmonic_error(
    fake: Tensor,
    real: Tensor,
    *,
    sample_rate: int,
    n_fft: int = 4096,
    greatest: float = 1500.0,
) -> Tensor:
    """Compare magnitudes of low frequencies over windows that last many periods of a voice.

    A spectrogram says nothing of phases. Where those of low harmonics do not go on from frame to
    frame, a voice is rough; in a long window its harmonics are then smeared.

    Args:
        fake: float32 (batch, samples).
        real: Of the same shape.
        sample_rate: Hz.
        n_fft: Samples per frame; frames are an eighth of it apart.
        greatest: Hz, of what is compared.

    Returns:
        Norm of the difference of magnitudes over that of the real ones.
    """
    bins = 1 + int(greatest * n_fft / sample_rate)
    mine = magnitude(fake, n_fft, n_fft // 8)[:, :bins]
    with torch.no_grad():
        theirs = magnitude(real, n_fft, n_fft // 8)[:, :bins]
    error: Tensor = (mine - theirs).norm() / theirs.norm().clamp(min=1e-6)
    return error
