"""Small upscalers for tests of the export: good ones within a second, and ones with a fault."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anamorph_training.degradation import shrink
from anamorph_training.evaluation.upscaling import Example

SCALE = 2


def made_examples(count: int, *, seed: int, side: int = 64) -> list[Example]:
    """Return made pictures, uint8 (side, side, 3), each with its half-size partner.

    Their frequencies end where half the size still carries them: much that bicubic blurs can be
    restored, so that little learning shows.
    """
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    examples = []
    for number in range(count):
        noise = np.fft.rfft2(rng.standard_normal((3, side, side))) * (frequency < 0.2)
        picture = np.fft.irfft2(noise, (side, side))
        picture = 128 + 40 * picture / picture.std() + rng.uniform(-20, 20, (3, 1, 1))
        high = np.clip(np.rint(picture), 0, 255).astype(np.uint8).transpose(1, 2, 0).copy()
        examples.append(Example(str(number), SCALE, high, shrink(high, SCALE)))
    return examples


class LinearUpscaler(nn.Module):
    """One convolution and pixel shuffle: enough to beat bicubic once its kernel is fitted."""

    def __init__(self, kernel: int = 7) -> None:
        super().__init__()
        self.scale = SCALE
        self.context = kernel // 2
        self.convolution = nn.Conv2d(3, 3 * SCALE**2, kernel, padding=kernel // 2)

    def forward(self, image: Tensor) -> Tensor:
        return F.pixel_shuffle(self.convolution(image), SCALE)


@torch.no_grad()
def fitted_upscaler(kernel: int = 7) -> LinearUpscaler:
    """Return the linear upscaler of least squared error on made pictures, in evaluation mode."""
    network = LinearUpscaler(kernel)
    columns, targets = [], []
    for example in made_examples(12, seed=7):
        image = torch.from_numpy(example.low.transpose(2, 0, 1)[None] / 255.0)
        truth = torch.from_numpy(example.high.transpose(2, 0, 1)[None] / 255.0)
        patches = F.unfold(image, kernel, padding=kernel // 2)[0]  # (3 * k * k, pixels)
        columns.append(patches.reshape(3, kernel * kernel, -1))
        targets.append(F.pixel_unshuffle(truth, SCALE)[0].reshape(3, SCALE**2, -1))
    # One kernel for all colours, so that few pictures suffice.
    inputs = torch.cat(columns, 2).transpose(0, 1).flatten(1)  # (k * k, colours * pixels)
    outputs = torch.cat(targets, 2).transpose(0, 1).flatten(1)  # (s * s, colours * pixels)
    gram = inputs @ inputs.T + 1e-3 * torch.eye(len(inputs), dtype=inputs.dtype)
    kernels = torch.linalg.solve(gram, inputs @ outputs.T).T.reshape(SCALE**2, kernel, kernel)
    network.convolution.weight.zero_()
    network.convolution.bias.zero_()  # type: ignore[union-attr]
    for colour in range(3):
        block = slice(colour * SCALE**2, (colour + 1) * SCALE**2)
        network.convolution.weight[block, colour] = kernels.float()
    return network.eval()
