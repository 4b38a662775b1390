"""Discriminators of waveforms: by period, and by resolution.

Kong et al., "HiFi-GAN", 2020, section 2.3, and Jang et al., "UnivNet", 2021, section 2.2. They
differ from the papers in their widths, for CPUs; those by period fold a waveform into the batch,
so that plain one-dimensional convolutions do; those by resolution see log magnitudes.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from anamorph_training.spectra import magnitude

PERIODS: Final = (2, 3, 5, 7, 11)  # samples; prime, so that they overlap little
N_FFTS: Final = (512, 1024, 2048)
_SLOPE: Final = 0.1  # of LeakyReLU below zero
_FLOOR: Final = 1e-2  # of magnitudes, about the noise of a quiet room
_SPREAD: Final = 3.0  # of log magnitudes, about their standard deviation in speech


class PeriodDiscriminator(nn.Module):
    """See what repeats every ``period`` samples: sample k of each period is an example.

    Args:
        period: Samples.
        channels: Width of the first convolution; the others have 2, 4 and 4 times as many.
    """

    def __init__(self, *, period: int, channels: int) -> None:
        super().__init__()
        self.period = period
        widths = (1, channels, 2 * channels, 4 * channels, 4 * channels)
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv1d(widths[i], widths[i + 1], 5, stride=3 if i < 3 else 1, padding=2))
            for i in range(len(widths) - 1)
        )
        self.last = weight_norm(nn.Conv1d(widths[-1], 1, 3, padding=1))

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """Return activations of every layer, the last of them logits.

        Args:
            waveform: float32 (batch, samples).

        Returns:
            float32 (batch * period, c, length), of falling lengths; the last with one channel.
        """
        batch, samples = waveform.shape
        padded = F.pad(waveform, (0, -samples % self.period))
        folded = padded.view(batch, -1, self.period).transpose(1, 2)  # (b, period, s / period)
        current = folded.reshape(batch * self.period, 1, -1)
        activations = []
        for layer in self.layers:
            current = F.leaky_relu(layer(current), _SLOPE)
            activations.append(current)
        return [*activations, self.last(current)]


class ResolutionDiscriminator(nn.Module):
    """See log magnitudes at one resolution.

    Args:
        n_fft: Samples per frame; frames are a quarter of it apart.
        channels: Width of the first convolution; the last has 4 times as many.
    """

    def __init__(self, *, n_fft: int, channels: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        widths = (1, channels, 2 * channels, 2 * channels, 4 * channels)
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(widths[i], widths[i + 1], (5, 3), stride=(2, 1), padding=(2, 1)))
            for i in range(len(widths) - 1)
        )
        self.last = weight_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """Return activations of every layer, the last of them logits.

        Args:
            waveform: float32 (batch, samples).

        Returns:
            float32 (batch, c, bins, frames), of falling numbers of bins.
        """
        magnitudes = magnitude(waveform, self.n_fft, self.n_fft // 4)
        current = ((magnitudes + _FLOOR).log() / _SPREAD).unsqueeze(1)  # (b, 1, bins, frames)
        activations = []
        for layer in self.layers:
            current = F.leaky_relu(layer(current), _SLOPE)
            activations.append(current)
        return [*activations, self.last(current)]


class WaveformDiscriminator(nn.Module):
    """All discriminators of a waveform: by five periods and at three resolutions.

    Args:
        period_channels: Width of those by period.
        resolution_channels: Width of those by resolution.
    """

    def __init__(self, *, period_channels: int = 16, resolution_channels: int = 8) -> None:
        super().__init__()
        self.judges = nn.ModuleList(
            [
                *(PeriodDiscriminator(period=p, channels=period_channels) for p in PERIODS),
                *(ResolutionDiscriminator(n_fft=n, channels=resolution_channels) for n in N_FFTS),
            ]
        )

    def forward(self, waveform: Tensor) -> list[list[Tensor]]:
        """Return, for each discriminator, its activations, the last of them logits."""
        return [judge(waveform) for judge in self.judges]


def logits(judgements: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Return what each discriminator says at last."""
    return [activations[-1] for activations in judgements]


def features(judgements: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Return all activations but the last of each discriminator."""
    return [one for activations in judgements for one in activations[:-1]]


def share_right(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Return the share of judgements on the right side of one half, as least squares asks."""
    right = [*((one > 0.5).flatten() for one in real), *((one < 0.5).flatten() for one in fake)]
    return torch.cat(right).float().mean()
