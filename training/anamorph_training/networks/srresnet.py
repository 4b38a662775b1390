"""SRResNet: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a GAN", 2017.

Differs from the paper only where the constructor is told to: batch norm can be left out (then the
residual branches start small), upsampling can be one direct pixel shuffle, and the picture itself,
enlarged by repetition, can be added to the output so that only the detail is learnt.
"""

from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SCALES: Final = (2, 3, 4)
# Without batch norm, branches that start small keep a deep stack near the identity.
_RESIDUAL_GAIN: Final = 0.1


def repeat_subpixels(image: Tensor, scale: int) -> Tensor:
    """Repeat each channel ``scale`` ** 2 times: pixel shuffle then gives the nearest enlargement.

    Args:
        image: (batch, channels, height, width).
        scale: Output pixels per input pixel along each axis.

    Returns:
        (batch, channels * scale ** 2, height, width).
    """
    # By index, which leaves PyTorch as one Gather; an expanded view leaves six operators.
    channels = torch.arange(image.shape[1], device=image.device).repeat_interleave(scale * scale)
    return image.index_select(1, channels)  # (b, c * s * s, h, w)


def _activation(name: Literal["prelu", "relu"]) -> nn.Module:
    return nn.PReLU() if name == "prelu" else nn.ReLU(inplace=True)


def _convolution(inputs: int, outputs: int, kernel: int, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around one activation, added to their input."""

    def __init__(
        self, *, channels: int, batch_norm: bool, activation: Literal["prelu", "relu"]
    ) -> None:
        super().__init__()
        self.expand = _convolution(channels, channels, 3, bias=not batch_norm)
        self.expand_norm = nn.BatchNorm2d(channels) if batch_norm else nn.Identity()
        self.activation = _activation(activation)
        self.reduce = _convolution(channels, channels, 3, bias=not batch_norm)
        self.reduce_norm = nn.BatchNorm2d(channels) if batch_norm else nn.Identity()
        if not batch_norm:
            with torch.no_grad():
                self.reduce.weight.mul_(_RESIDUAL_GAIN)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features of shape (batch, channels, height, width)."""
        branch = self.activation(self.expand_norm(self.expand(features)))
        branch = self.reduce_norm(self.reduce(branch))
        refined: Tensor = features + branch
        return refined


class ShuffleStage(nn.Module):
    """Enlarge features by convolution and pixel shuffle, as the paper does once per factor of 2."""

    def __init__(self, *, channels: int, factor: int, activation: Literal["prelu", "relu"]) -> None:
        super().__init__()
        self.factor = factor
        self.convolution = _convolution(channels, channels * factor * factor, 3)
        self.activation = _activation(activation)

    def forward(self, features: Tensor) -> Tensor:
        """Turn (b, channels, h, w) into (b, channels, factor * h, factor * w)."""
        shuffled = F.pixel_shuffle(self.convolution(features), self.factor)
        activated: Tensor = self.activation(shuffled)
        return activated


class SRResNet(nn.Module):
    """Enlarge pictures by a residual network of finite context.

    Args:
        scale: Output pixels per input pixel along each axis: 2, 3 or 4.
        channels: Width of the features.
        blocks: Number of residual blocks.
        head_kernel: Odd side of the first convolution, in input pixels.
        tail_kernel: Odd side of the last convolution, in output pixels where upsampling is staged,
            in input pixels where it is direct.
        batch_norm: Normalise inside the blocks, as the paper does.
        upsampling: ``staged`` shuffles features and ends at full size; ``direct`` computes all
            output pixels at the input's size and shuffles once, many times cheaper.
        image_skip: Add the picture, enlarged by repetition, to the output.
        activation: ``prelu`` with one learnt slope, or ``relu``.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 64,
        blocks: int = 16,
        head_kernel: int = 9,
        tail_kernel: int = 9,
        batch_norm: bool = True,
        upsampling: Literal["staged", "direct"] = "staged",
        image_skip: bool = False,
        activation: Literal["prelu", "relu"] = "prelu",
    ) -> None:
        super().__init__()
        if scale not in SCALES:
            raise ValueError(f"scale is {scale}; SRResNet enlarges by one of {SCALES}")
        if head_kernel % 2 == 0 or tail_kernel % 2 == 0:
            raise ValueError(f"kernels are {head_kernel} and {tail_kernel}; choose odd numbers")
        self.scale = scale
        self.image_skip = image_skip
        self.factors = _factors(scale) if upsampling == "staged" else ()
        tail_channels = 3 if self.factors else 3 * scale * scale
        self.head = _convolution(3, channels, head_kernel)
        self.head_activation = _activation(activation)
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(channels=channels, batch_norm=batch_norm, activation=activation)
                for _ in range(blocks)
            )
        )
        self.body = _convolution(channels, channels, 3, bias=not batch_norm)
        self.body_norm = nn.BatchNorm2d(channels) if batch_norm else nn.Identity()
        self.stages = nn.Sequential(
            *(
                ShuffleStage(channels=channels, factor=factor, activation=activation)
                for factor in self.factors
            )
        )
        self.tail = _convolution(channels, tail_channels, tail_kernel)
        if image_skip:
            # The first output is then the nearest enlargement plus little noise.
            with torch.no_grad():
                self.tail.weight.mul_(_RESIDUAL_GAIN)

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge a picture.

        Args:
            image: float32 (batch, 3, height, width) in [0, 1], RGB.

        Returns:
            float32 (batch, 3, scale * height, scale * width), RGB, not clipped.
        """
        shallow = self.head_activation(self.head(image))  # (b, channels, h, w)
        deep = shallow + self.body_norm(self.body(self.blocks(shallow)))
        detail: Tensor = self.tail(self.stages(deep))
        if not self.factors:  # direct: (b, 3 * s * s, h, w) -> (b, 3, s * h, s * w)
            if self.image_skip:
                detail = detail + repeat_subpixels(image, self.scale)
            return F.pixel_shuffle(detail, self.scale)
        if self.image_skip:
            return detail + F.pixel_shuffle(repeat_subpixels(image, self.scale), self.scale)
        return detail

    @property
    def context(self) -> int:
        """Input pixels on each side that an output depends on, counted from its own pixel."""
        before_upsampling = self.head.kernel_size[0] // 2 + 2 * len(self.blocks) + 1
        tail_reach = self.tail.kernel_size[0] // 2
        if not self.factors:
            return before_upsampling + tail_reach
        reach = 0
        for phase in range(self.scale):
            low, high = phase - tail_reach, phase + tail_reach  # in output pixels
            for factor in reversed(self.factors):
                low, high = low // factor - 1, high // factor + 1  # in the stage's input pixels
            reach = max(reach, -low, high)
        return before_upsampling + reach


def _factors(scale: int) -> tuple[int, ...]:
    return (2, 2) if scale == 4 else (scale,)
