"""RepSR: super-resolution of plain 3 x 3 convolutions that are trained as several branches each.

The branches are RepVGG's (Ding et al., 2021) without batch norm; they are summed into one kernel in
every forward pass (online re-parameterisation: Hu et al., 2022), so that training costs no more
than the plain network that leaves it. No normalisation, one pixel shuffle at the end.
"""

import math
from collections.abc import Callable
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anamorph_training.networks.srresnet import repeat_subpixels

SCALES: Final = (2, 3, 4)
Block = Literal["residual", "plain", "attention"]

_SIDE: Final = 3  # of every kernel, in pixels
# Muon's steps are of one size, whatever the gradient's: it turns small weights quickly and large
# ones slowly. Where all weights kept the variance (a gain of 1), the network learnt far less.
_GAIN: Final = 0.15
# Layers whose output is added to something start smaller, so that a stack starts near the sum.
_SMALL_GAIN: Final = 0.1 * _GAIN
_POINT_GAIN: Final = 0.3  # of fresh 1 x 1 kernels, beside the 3 x 3 ones


class RepConv(nn.Module):
    """A 3 x 3 convolution, zero-padded, whose kernel is the sum of up to three branches.

    A 3 x 3 kernel; with ``branches`` also a 1 x 1 kernel; with ``identity`` the input itself.
    Kernels are kept as matrices (outputs, inputs * 9) and (outputs, inputs), the shape that
    orthogonalising optimisers such as Muon take.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        branches: Train the 1 x 1 kernel too.
        identity: Add the input to the output, within the kernel.
        gain: Scale of the fresh weights, relative to those that keep the variance.
    """

    def __init__(
        self,
        *,
        inputs: int,
        outputs: int,
        branches: bool = False,
        identity: bool = False,
        gain: float = _GAIN,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.identity = inputs, outputs, identity
        self.square = _matrix(outputs, inputs * _SIDE * _SIDE, gain)
        self.point = _matrix(outputs, inputs, gain * _POINT_GAIN) if branches else None
        self.bias = nn.Parameter(torch.zeros(outputs))

    def kernel(self) -> Tensor:
        """Return the sum of the branches: (outputs, inputs, 3, 3)."""
        kernel = self.square.view(self.outputs, self.inputs, _SIDE, _SIDE)
        if self.point is not None:
            kernel = kernel + _centred(self.point)
        if self.identity:
            kernel = kernel + _centred(torch.eye(self.outputs, self.inputs, device=kernel.device))
        return kernel

    def forward(self, features: Tensor) -> Tensor:
        """Turn (batch, inputs, height, width) into (batch, outputs, height, width)."""
        return F.conv2d(features, self.kernel(), self.bias, padding=_SIDE // 2)

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return the one convolution that computes the same."""
        plain = nn.Conv2d(self.inputs, self.outputs, _SIDE, padding=_SIDE // 2)
        plain.weight.copy_(self.kernel())
        plain.bias.copy_(self.bias)  # type: ignore[union-attr]
        return plain.train(self.training)


def fold_branches(network: nn.Module) -> nn.Module:
    """Replace every `RepConv` inside a network by the one convolution that computes the same."""
    for name, module in list(network.named_modules()):
        if isinstance(module, RepConv):
            network.set_submodule(name, module.folded())
    return network


def _matrix(rows: int, columns: int, gain: float) -> nn.Parameter:
    fresh = torch.randn(rows, columns)
    return nn.Parameter(fresh * (gain / math.sqrt(columns)))


def _centred(matrix: Tensor) -> Tensor:
    """Turn a matrix (outputs, inputs) into a 3 x 3 kernel that is zero around its centre."""
    return F.pad(matrix[:, :, None, None], (_SIDE // 2,) * 4)


def _inner(
    channels: int, branches: bool, *, identity: bool = False, gain: float = _GAIN
) -> RepConv:
    return RepConv(
        inputs=channels, outputs=channels, branches=branches, identity=identity, gain=gain
    )


class ResidualBlock(nn.Module):
    """Two convolutions around a ReLU, added to their input (EDSR: Lim et al., 2017)."""

    def __init__(self, *, channels: int, branches: bool) -> None:
        super().__init__()
        self.expand = _inner(channels, branches, gain=math.sqrt(2) * _GAIN)
        self.reduce = _inner(channels, branches, gain=_SMALL_GAIN)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features of shape (batch, channels, height, width)."""
        refined: Tensor = features + self.reduce(F.relu(self.expand(features)))
        return refined


class PlainBlock(nn.Module):
    """One convolution that holds its own identity, and a ReLU: no addition is left to compute."""

    def __init__(self, *, channels: int, branches: bool) -> None:
        super().__init__()
        self.convolution = _inner(channels, branches, identity=True, gain=_SMALL_GAIN)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features of shape (batch, channels, height, width)."""
        return F.relu(self.convolution(features))


class AttentionBlock(nn.Module):
    """Three convolutions whose result is also their weight (SPAN: Wan et al., 2024)."""

    def __init__(self, *, channels: int, branches: bool) -> None:
        super().__init__()
        # The product of small numbers would vanish: these keep the variance.
        gain = math.sqrt(2)
        self.first = _inner(channels, branches, gain=gain)
        self.second = _inner(channels, branches, gain=gain)
        self.third = _inner(channels, branches, gain=gain)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features of shape (batch, channels, height, width)."""
        found = self.third(F.silu(self.second(F.silu(self.first(features)))))
        refined: Tensor = (features + found) * (torch.sigmoid(found) - 0.5)
        return refined


_BLOCKS: Final[dict[Block, Callable[..., nn.Module]]] = {
    "residual": ResidualBlock,
    "plain": PlainBlock,
    "attention": AttentionBlock,
}


class RepSR(nn.Module):
    """Enlarge pictures by a stack of 3 x 3 convolutions of finite context.

    Args:
        scale: Output pixels per input pixel along each axis: 2, 3 or 4.
        channels: Width of the features.
        blocks: Number of blocks.
        block: ``residual`` has two convolutions in a block, ``plain`` one, ``attention`` three.
        branches: Train every inner convolution as several branches.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 64,
        blocks: int = 9,
        block: Block = "residual",
        branches: bool = False,
    ) -> None:
        super().__init__()
        if scale not in SCALES:
            raise ValueError(f"scale is {scale}; RepSR enlarges by one of {SCALES}")
        self.scale = scale
        make = _BLOCKS[block]
        self.head = RepConv(inputs=3, outputs=channels)
        self.blocks = nn.Sequential(
            *(make(channels=channels, branches=branches) for _ in range(blocks))
        )
        self.body = RepConv(inputs=channels, outputs=channels, branches=branches)
        # The first output is then the nearest enlargement plus little noise.
        self.tail = RepConv(inputs=channels, outputs=3 * scale * scale, gain=_SMALL_GAIN)
        # One follows the other, and each reaches one pixel.
        self.context = sum(isinstance(module, RepConv) for module in self.modules())

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge a picture.

        Args:
            image: float32 (batch, 3, height, width) in [0, 1], RGB.

        Returns:
            float32 (batch, 3, scale * height, scale * width), RGB, not clipped.
        """
        shallow = self.head(image)  # (b, channels, h, w)
        deep = shallow + self.body(self.blocks(shallow))
        pixels = self.tail(deep) + repeat_subpixels(image, self.scale)  # (b, 3 * s * s, h, w)
        return F.pixel_shuffle(pixels, self.scale)  # (b, 3, s * h, s * w)
