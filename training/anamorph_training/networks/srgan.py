"""SRGAN's discriminator: Ledig et al., "Photo-Realistic Single Image Super-Resolution...", 2017.

Differs from the paper in that the sigmoid is left to the loss, widths can be scaled down for CPUs,
and pictures in [0, 1] are centred inside.
"""

from collections.abc import Sequence
from typing import Final

from torch import Tensor, nn

# Figure 4: width over that of the first layer, and stride, of the eight convolutions.
_LAYERS: Final = ((1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2))
_REDUCTION: Final = 16  # input pixels per last feature, along each axis
_SLOPE: Final = 0.2  # of LeakyReLU below zero


class DiscriminatorBlock(nn.Module):
    """One 3 x 3 convolution, batch norm where asked for, and LeakyReLU."""

    def __init__(self, *, inputs: int, outputs: int, stride: int, batch_norm: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(
            inputs, outputs, 3, stride=stride, padding=1, bias=not batch_norm
        )
        self.norm = nn.BatchNorm2d(outputs) if batch_norm else nn.Identity()
        self.activation = nn.LeakyReLU(_SLOPE, inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """Turn (b, inputs, h, w) into (b, outputs, h / stride, w / stride)."""
        activated: Tensor = self.activation(self.norm(self.convolution(features)))
        return activated


class Discriminator(nn.Module):
    """Tell photographs from generated pictures.

    For logits and features of one pass: ``features = network.features(image)``, then
    ``logits = network.judge(features)``.

    Args:
        side: Height and width of its pictures in pixels, a multiple of 16; the paper's is 96.
        channels: Width of the first convolution; the last has eight times as many.
        dense: Width of the first dense layer.
    """

    def __init__(self, *, side: int, channels: int = 64, dense: int = 1024) -> None:
        super().__init__()
        if side < _REDUCTION or side % _REDUCTION:
            raise ValueError(
                f"side is {side}; the discriminator judges pictures whose side is a multiple of "
                f"{_REDUCTION}, at least {_REDUCTION}"
            )
        self.blocks = nn.ModuleList()
        inputs = 3
        for index, (factor, stride) in enumerate(_LAYERS):
            outputs = factor * channels
            self.blocks.append(
                DiscriminatorBlock(
                    inputs=inputs, outputs=outputs, stride=stride, batch_norm=index > 0
                )
            )
            inputs = outputs
        cells = (side // _REDUCTION) ** 2
        self.head = nn.Sequential(
            nn.Flatten(),  # (b, 8 * channels * cells)
            nn.Linear(inputs * cells, dense),  # (b, dense)
            nn.LeakyReLU(_SLOPE, inplace=True),
            nn.Linear(dense, 1),  # (b, 1)
            nn.Flatten(0),  # (b,)
        )

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the activations of the eight convolutions, shallow to deep.

        Args:
            image: float32 (batch, 3, side, side) in [0, 1], RGB; small excesses do no harm.

        Returns:
            float32 (batch, c, s, s) with c, s = channels, side; channels, side / 2;
            2 * channels, side / 2; 2 * channels, side / 4; ... 8 * channels, side / 16.
        """
        activations: list[Tensor] = []
        current = 2 * image - 1  # centred, since nothing normalises before the first convolution
        for block in self.blocks:
            current = block(current)
            activations.append(current)
        return activations

    def judge(self, features: Sequence[Tensor]) -> Tensor:
        """Judge pictures by their features.

        Args:
            features: What ``features`` returned for them.

        Returns:
            float32 (batch,), logit of the probability that a picture is a photograph.
        """
        logits: Tensor = self.head(features[-1])
        return logits

    def forward(self, image: Tensor) -> Tensor:
        """Turn pictures (batch, 3, side, side) in [0, 1] into logits (batch,)."""
        return self.judge(self.features(image))
