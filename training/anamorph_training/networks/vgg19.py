"""VGG19: Simonyan and Zisserman, "Very Deep Convolutional Networks...", 2015, up to a layer.

Differs from the paper as Ledig et al. ("SRGAN", 2017) use it: features are divided by 12.75, so
that their squared differences are of the size of those of pixels. Tensors are named as in
torchvision's weights, which also decide how pictures are normalised.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import torch
from torch import Tensor, nn

WIDTHS: Final = (64, 128, 256, 512, 512)
SRGAN_LAYER: Final = "relu5_4"  # phi_5,4: fourth convolution, activated, before the fifth pooling
_DEPTHS: Final = (2, 2, 4, 4, 4)
_RESCALING: Final = 12.75  # Ledig et al., section 3.2
_MEAN: Final = (0.485, 0.456, 0.406)  # of ImageNet's pictures in [0, 1], RGB
_DEVIATION: Final = (0.229, 0.224, 0.225)


def _named_layers(widths: Sequence[int]) -> Iterator[tuple[str, nn.Module]]:
    inputs = 3
    for stage, (depth, width) in enumerate(zip(_DEPTHS, widths, strict=True), start=1):
        for number in range(1, depth + 1):
            yield f"conv{stage}_{number}", nn.Conv2d(inputs, width, 3, padding=1)
            yield f"relu{stage}_{number}", nn.ReLU(inplace=True)
            inputs = width
        yield f"pool{stage}", nn.MaxPool2d(2)


class VGG19Features(nn.Module):
    """See pictures as VGG19 does up to one layer; its weights are frozen.

    Args:
        layer: ``convI_J``, the J-th convolution of the I-th stage, or ``reluI_J``, the same after
            its activation.
        widths: Channels of the five stages; other ones than VGG19's suit tests alone.
    """

    def __init__(self, *, layer: str = SRGAN_LAYER, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        layers = dict(_named_layers(widths))
        names = list(layers)
        if layer not in layers or layer.startswith("pool"):
            raise ValueError(
                f"layer is {layer!r}; VGG19 has conv1_1 to conv5_4 and relu1_1 to relu5_4"
            )
        self.features = nn.Sequential(
            *(layers[name] for name in names[: names.index(layer) + 1])
        )  # its indices are torchvision's
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", _per_channel(_MEAN), persistent=False)
        self.register_buffer("deviation", _per_channel(_DEVIATION), persistent=False)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        """Extract features.

        Args:
            image: float32 (batch, 3, height, width) in [0, 1], RGB, 16 pixels a side or more.

        Returns:
            float32 (batch, width of stage I, height // 2 ** (I - 1), width // 2 ** (I - 1)),
            divided by 12.75.
        """
        seen: Tensor = self.features((image - self.mean) / self.deviation)
        return seen / _RESCALING


def _per_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1)
