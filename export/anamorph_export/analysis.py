"""Compare a graph's mel analysis with an independent reference: librosa in float64."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from anamorph_export.gate import Finding, GateError

# Differences in the natural logarithm of the amplitude.
GREATEST_ERROR: Final = 1e-3
GREATEST_MEAN_ERROR: Final = 1e-4


@dataclass(frozen=True, kw_only=True)
class MelSetting:
    """How a log-mel spectrogram is defined; the defaults are HiFi-GAN's at 22.05 kHz.

    Frames are not centred; the signal is zero-padded by ``padding`` on both sides.

    Attributes:
        sample_rate: Hz.
        n_fft: Length of the transform and of its periodic Hann window, in samples.
        hop_length: Samples between frames.
        n_mels: Number of Slaney bands.
        fmin: Lower edge of the first band, in Hz.
        fmax: Upper edge of the last band, in Hz.
        padding: Zeros before and after the signal, in samples.
        power_floor: Added to the power under the root.
        amplitude_floor: Least amplitude before the logarithm.
    """

    sample_rate: int = 22_050
    n_fft: int = 1024
    hop_length: int = 256
    n_mels: int = 80
    fmin: float = 0.0
    fmax: float = 8000.0
    padding: int = 384
    power_floor: float = 1e-9
    amplitude_floor: float = 1e-5


def reference_log_mel(samples: NDArray[np.float32], setting: MelSetting) -> NDArray[np.float64]:
    """Compute a log-mel spectrogram with librosa in float64.

    Args:
        samples: float32 (samples,) in [-1, 1].
        setting: Its definition.

    Returns:
        float64 (n_mels, frames), natural logarithm of amplitude.
    """
    import librosa

    padded = np.pad(samples.astype(np.float64), setting.padding)
    spectrum = librosa.stft(
        padded,
        n_fft=setting.n_fft,
        hop_length=setting.hop_length,
        window="hann",
        center=False,
        dtype=np.complex128,
    )
    amplitude = np.sqrt(np.abs(spectrum) ** 2 + setting.power_floor)
    bands = librosa.filters.mel(
        sr=setting.sample_rate,
        n_fft=setting.n_fft,
        n_mels=setting.n_mels,
        fmin=setting.fmin,
        fmax=setting.fmax,
        dtype=np.float64,
    )
    log_mel: NDArray[np.float64] = np.log(np.maximum(bands @ amplitude, setting.amplitude_floor))
    return log_mel


def probe_signals(sample_rate: int, *, seed: int = 0) -> list[NDArray[np.float32]]:
    """Make a second each of noise, a quiet glide over all bands, and a voice-like pulse train.

    Returns:
        float32 (sample_rate,) each, in [-1, 1].
    """
    rng = np.random.default_rng(seed)
    time = np.arange(sample_rate) / sample_rate
    noise = rng.normal(0, 0.1, sample_rate)
    glide = 0.02 * np.sin(2 * np.pi * (50 * time + 0.5 * (0.45 * sample_rate - 50) * time**2))
    pitch = 120 + 30 * np.sin(2 * np.pi * 2 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    voice = sum(np.cos(k * phase) / k for k in range(1, 40)) * 0.1
    signals = (noise, glide, np.asarray(voice) + rng.normal(0, 1e-4, sample_rate))
    return [np.clip(signal, -1, 1).astype(np.float32) for signal in signals]


@torch.no_grad()
def check_analysis(analysis: nn.Module, setting: MelSetting | None = None) -> Finding:
    """Refuse a mel analysis that misses librosa's.

    Args:
        analysis: Maps float32 (batch, samples) in [-1, 1] to float32 (batch, n_mels, frames),
            natural logarithm of amplitude.
        setting: What it shall compute; HiFi-GAN's definition where not given.

    Raises:
        GateError: A value is off by more than 1e-3, or all by more than 1e-4 in the mean.
    """
    setting = setting or MelSetting()
    worst, mean = 0.0, 0.0
    for samples in probe_signals(setting.sample_rate):
        expected = reference_log_mel(samples, setting)
        got = analysis(torch.from_numpy(samples)[None])[0].double().numpy()
        if got.shape != expected.shape:
            raise GateError(
                f"analysis: it gives {got.shape} bands and frames, librosa {expected.shape}; "
                "correct its padding, hop or bands"
            )
        error = np.abs(got - expected)
        # Not above is not the same as below: NaN is neither.
        if not (error.max() <= GREATEST_ERROR and error.mean() <= GREATEST_MEAN_ERROR):
            raise GateError(
                f"analysis: log-mel misses librosa's by {error.max():.2g} at most and "
                f"{error.mean():.2g} in the mean, {GREATEST_ERROR:g} and {GREATEST_MEAN_ERROR:g} "
                "are allowed; compute the phases of the Fourier basis in float64, modulo n_fft"
            )
        worst, mean = max(worst, float(error.max())), max(mean, float(error.mean()))
    return Finding(
        "analysis",
        f"{worst:.1e} at most, {mean:.1e} in the mean",
        f"{GREATEST_ERROR:g} and {GREATEST_MEAN_ERROR:g} of log-mel",
    )
