"""The graphs that leave PyTorch, one small module per file, and what crosses their boundary."""

from typing import Final

import torch
from torch import Tensor, nn

from anamorph.card import Port

_PICTURE_AXES: Final = ("batch", "channel", "height", "width")
_RGB: Final = ("red", "green", "blue")


class UpscalerGraph(nn.Module):
    """A network that enlarges pictures, with its output clipped to what a picture can hold.

    Args:
        network: Maps float32 (batch, 3, height, width) in [0, 1], RGB, to
            (batch, 3, scale * height, scale * width), not clipped.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        # The graph is in the network's mode; train() or eval() would hide that of its layers.
        self.training = network.training

    def forward(self, picture: Tensor) -> Tensor:
        """Enlarge a picture: float32 (b, 3, h, w) in [0, 1] to (b, 3, s * h, s * w) in [0, 1]."""
        return torch.clamp(self.network(picture), 0.0, 1.0)


def picture_port(name: str) -> Port:
    """Describe one RGB picture in [0, 1] under its name in the graph."""
    return Port(
        name=name,
        meaning="picture",
        axes=_PICTURE_AXES,
        channels=_RGB,
        minimum=0.0,
        maximum=1.0,
        unit="sRGB, encoded",
    )
