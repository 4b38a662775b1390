"""Vocos: Siuzdak, "Closing the gap between time-domain and Fourier-based vocoders...", 2023.

Differs from the paper in its size, and in that the phase is a direction (two numbers) that needs
no angle: the head gives a log magnitude, and a real and an imaginary part that are normalised.
"""

from typing import Final

import torch
from torch import Tensor, nn

from anamorph_training.networks.fourier import synthesize
from anamorph_training.networks.time_convolution import TimeConvolution, share_look_ahead

_KERNEL: Final = 7  # frames, of every convolution over time
_GREATEST_LOG: Final = 6.0  # of a magnitude: above that of a full-scale tone in a frame of 1024
_DIRECTION_FLOOR: Final = 1e-6


class ConvNeXtBlock(nn.Module):
    """Liu et al., "A ConvNet for the 2020s", 2022, over time: depthwise, norm, two dense layers.

    Args:
        channels: Features per frame.
        hidden: Features between the dense layers.
        scale: What the block's output is multiplied by at first.
        ahead: Frames that it sees ahead.
    """

    def __init__(self, *, channels: int, hidden: int, scale: float, ahead: int) -> None:
        super().__init__()
        self.depthwise = TimeConvolution(
            channels, channels, kernel=_KERNEL, ahead=ahead, groups=channels
        )
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, hidden)
        self.activation = nn.GELU()
        self.narrow = nn.Linear(hidden, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, features: Tensor) -> Tensor:
        """Turn (batch, channels, frames) into the same."""
        mixed: Tensor = self.depthwise(features).transpose(1, 2)  # (b, frames, c)
        mixed = self.narrow(self.activation(self.widen(self.norm(mixed))))
        return features + (mixed * self.scale).transpose(1, 2)


class Vocoder(nn.Module):
    """Turn a log-mel spectrogram into the waveform that it is of.

    Args:
        n_mels: Bands of the spectrogram.
        channels: Features per frame.
        hidden: Features within a block.
        blocks: Number of blocks.
        n_fft: Samples per frame of the spectrum that is made, a multiple of ``hop_length``.
        hop_length: Samples per frame of the spectrogram.
        look_ahead: Frames after its own that a frame depends on; None for as many as before it.

    Attributes:
        context_before: Frames before its own that a frame of the spectrum depends on.
        context_after: Frames after it.

    Raises:
        InputError: ``look_ahead`` is more than the kernels reach.
    """

    def __init__(
        self,
        *,
        n_mels: int = 80,
        channels: int = 192,
        hidden: int = 576,
        blocks: int = 6,
        n_fft: int = 1024,
        hop_length: int = 256,
        look_ahead: int | None = None,
    ) -> None:
        super().__init__()
        self.n_mels, self.hop_length, self.n_fft = n_mels, hop_length, n_fft
        first, *between = ahead = share_look_ahead(look_ahead, (_KERNEL,) * (1 + blocks))
        self.context_before, self.context_after = (1 + blocks) * (_KERNEL // 2), sum(ahead)
        self.embed = TimeConvolution(n_mels, channels, kernel=_KERNEL, ahead=first)
        self.norm = nn.LayerNorm(channels)
        self.blocks = nn.Sequential(
            *(
                ConvNeXtBlock(channels=channels, hidden=hidden, scale=1 / blocks, ahead=one)
                for one in between
            )
        )
        self.last_norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, 3 * (n_fft // 2 + 1))

    def spectrum(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the real and the imaginary part of the spectrum.

        Args:
            log_mel: float32 (batch, n_mels, frames), natural log of amplitude.

        Returns:
            float32 (batch, frames, n_fft // 2 + 1) each.
        """
        features = self.embed(log_mel)  # (b, c, frames)
        features = self.norm(features.transpose(1, 2)).transpose(1, 2)
        features = self.last_norm(self.blocks(features).transpose(1, 2))  # (b, frames, c)
        log_magnitude, real, imaginary = self.head(features).chunk(3, dim=2)  # (b, frames, bins)
        length = (real.square() + imaginary.square() + _DIRECTION_FLOOR).sqrt()
        size = log_magnitude.clamp(max=_GREATEST_LOG).exp() / length
        return real * size, imaginary * size

    def forward(self, log_mel: Tensor) -> Tensor:
        """Turn float32 (batch, n_mels, frames) into float32 (batch, frames * hop_length)."""
        return synthesize(*self.spectrum(log_mel), self.hop_length)
