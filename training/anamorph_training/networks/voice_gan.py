"""Generators and discriminators of log-mel spectrograms, for voices.

In the line of CycleGAN-VC2 (Kaneko et al., 2019) and MaskCycleGAN-VC (Kaneko et al., 2021): gated
convolutions over time, and a mask that tells which frames have to be filled in. They differ in
per-frame layer norm instead of instance norm, so that a frame depends on a finite stretch; in
convolutions that are separated into depth and points; in that time is never strided; and in an
optional condition for the way back to many speakers.
"""

from functools import partial
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from anamorph_training.networks.time_convolution import TimeConvolution, share_look_ahead

_EDGE_KERNEL: Final = 5  # frames, of the first and the last convolution
_KERNEL: Final = 9  # frames, of those between
_SLOPE: Final = 0.2  # of LeakyReLU below zero
# Of log-mel spectrograms of levelled speech: what is taken off, and what the rest is divided by.
CENTRE: Final = -5.0
SPREAD: Final = 2.5


class GatedBlock(nn.Module):
    """Norm, two dense layers around a gated depthwise convolution over time, and a skip.

    Args:
        channels: Features per frame.
        hidden: Features that pass the gate.
        scale: What the block's output is multiplied by at first.
        ahead: Frames that it sees ahead.
    """

    def __init__(self, *, channels: int, hidden: int, scale: float, ahead: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, 2 * hidden)
        self.depthwise = TimeConvolution(
            2 * hidden, 2 * hidden, kernel=_KERNEL, ahead=ahead, groups=2 * hidden
        )
        self.narrow = nn.Linear(hidden, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, features: Tensor) -> Tensor:
        """Turn (batch, frames, channels) into the same."""
        wide = self.widen(self.norm(features)).transpose(1, 2)  # (b, 2 * hidden, frames)
        gated = F.glu(self.depthwise.as_picture(wide), dim=1).transpose(1, 2)  # (b, frames, hidden)
        mixed: Tensor = features + self.narrow(gated) * self.scale
        return mixed


class VoiceGenerator(nn.Module):
    """Turn a log-mel spectrogram of one voice into one of another.

    Args:
        n_mels: Bands.
        channels: Features per frame.
        hidden: Features that pass a block's gate.
        blocks: Number of blocks.
        conditions: Numbers that say which voice is wanted; 0 where it is always the same.
        look_ahead: Frames after its own that a frame depends on; None for as many as before it.

    Attributes:
        context_before: Frames before its own that a frame depends on.
        context_after: Frames after it.

    Raises:
        InputError: ``look_ahead`` is more than the kernels reach.
    """

    def __init__(
        self,
        *,
        n_mels: int = 80,
        channels: int = 160,
        hidden: int = 160,
        blocks: int = 8,
        conditions: int = 0,
        look_ahead: int | None = None,
    ) -> None:
        super().__init__()
        self.n_mels = n_mels
        kernels = (_EDGE_KERNEL, *(_KERNEL,) * blocks, _EDGE_KERNEL)
        first, *between, last = ahead = share_look_ahead(look_ahead, kernels)
        self.context_before = sum(kernel // 2 for kernel in kernels)
        self.context_after = sum(ahead)
        self.embed = TimeConvolution(n_mels + 1, channels, kernel=_EDGE_KERNEL, ahead=first)
        self.condition = nn.Linear(conditions, channels) if conditions else None
        self.blocks = nn.ModuleList(
            GatedBlock(channels=channels, hidden=hidden, scale=1 / blocks, ahead=one)
            for one in between
        )
        self.norm = nn.LayerNorm(channels)
        self.last = TimeConvolution(channels, n_mels, kernel=_EDGE_KERNEL, ahead=last)

    def forward(
        self, mel: Tensor, mask: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """Convert.

        Args:
            mel: float32 (batch, n_mels, frames), natural log of amplitude.
            mask: float32 (batch, 1, frames), 0 for frames to fill in; None for none.
            condition: float32 (batch, conditions), where the generator takes one.

        Returns:
            float32 (batch, n_mels, frames), natural log of amplitude.
        """
        scaled = (mel - CENTRE) / SPREAD
        shown = torch.ones_like(scaled[:, :1]) if mask is None else mask
        features = self.embed(torch.cat([scaled * shown, shown], dim=1)).transpose(1, 2)
        if self.condition is not None:
            assert condition is not None, "this generator must be told whose voice is wanted"
            features = features + self.condition(condition)[:, None]
        for block in self.blocks:
            features = block(features)
        converted: Tensor = self.last(self.norm(features).transpose(1, 2))  # (b, n_mels, frames)
        return converted * SPREAD + CENTRE


class VoiceDiscriminator(nn.Module):
    """Tell log-mel spectrograms of a voice from converted ones, patch by patch.

    Args:
        channels: Width of the first convolution; the last has 4 times as many.
    """

    def __init__(self, *, channels: int = 16) -> None:
        super().__init__()
        widths = (1, channels, 2 * channels, 4 * channels, 4 * channels)
        strides = ((2, 1), (2, 2), (2, 2), (2, 1))
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(widths[i], widths[i + 1], 5, stride=stride, padding=2))
            for i, stride in enumerate(strides)
        )
        self.last = weight_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, mel: Tensor) -> list[Tensor]:
        """Return activations of every layer, the last of them logits.

        Args:
            mel: float32 (batch, n_mels, frames), natural log of amplitude.

        Returns:
            float32 (batch, c, bands, frames), of falling sizes; the last with one channel.
        """
        current = ((mel - CENTRE) / SPREAD).unsqueeze(1)  # (b, 1, n_mels, frames)
        activations = []
        for layer in self.layers:
            current = F.leaky_relu(layer(current), _SLOPE)
            activations.append(current)
        return [*activations, self.last(current)]


class VoicePair(nn.Module):
    """Generators of both directions.

    Args:
        channels: Features per frame.
        hidden: Features that pass a block's gate.
        blocks: Blocks of each generator.
        conditions: Numbers that tell the way back whose voice is wanted.
        look_ahead: Of each generator.
    """

    def __init__(
        self,
        *,
        channels: int,
        hidden: int,
        blocks: int,
        conditions: int,
        look_ahead: int | None = None,
    ) -> None:
        super().__init__()
        shape = partial(
            VoiceGenerator, channels=channels, hidden=hidden, blocks=blocks, look_ahead=look_ahead
        )
        self.to_target = shape()
        self.to_source = shape(conditions=conditions)


class VoiceJudges(nn.Module):
    """Discriminators of both voices, and of what came there and back ("two-step adversarial").

    Args:
        channels: Width of the first convolution of each.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.target = VoiceDiscriminator(channels=channels)
        self.source = VoiceDiscriminator(channels=channels)
        self.target_cycle = VoiceDiscriminator(channels=channels)
        self.source_cycle = VoiceDiscriminator(channels=channels)
