"""How well pictures come back from their codes while a network trains: error and sample sheets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anamorph_training.data.batches import to_float
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.sheets import write_sheet

_SHOWN: Final = 8


@dataclass(frozen=True)
class CodeWatch:
    """Measures and shows a network on held-out pictures while it trains.

    Attributes:
        network: What is measured, in evaluation mode: it has ``encode`` and ``decoder``.
        held: uint8 (n, bands, height, width), held out.
        device: Where the network is.
    """

    network: nn.Module
    held: NDArray[np.uint8]
    device: torch.device

    def measure(self, step: int, journal: Journal, progress: Progress) -> None:
        """Measure after ``step`` steps, and tell."""
        picture = to_float(self.held)
        error = (self.reconstruct(picture) - picture).square().mean()
        psnr = float(-10 * torch.log10(error.clamp(min=1e-10)))
        journal.write(step, psnr=psnr)
        progress.say(f"step {step}: {psnr:.2f} dB on {len(self.held)} held-out pictures")

    def sample(self, step: int, run: Path) -> None:
        """Write the sheet of ``step`` steps into a run: as they are, and from their codes."""
        shown = self.held[:_SHOWN]
        pairs = zip(shown, to_uint8(self.reconstruct(to_float(shown))), strict=True)
        rows = [[to_rgb(one) for one in pair] for pair in pairs]
        write_sheet(run / "samples" / f"{step:09}.png", ["held out", "from its code"], rows)

    @torch.inference_mode()
    def reconstruct(self, picture: Tensor) -> Tensor:
        """Return pictures made of the codes of pictures, float32 in [0, 1]."""
        return reconstruct(self.network, picture.to(self.device)).cpu()


def reconstruct(network: nn.Module, picture: Tensor) -> Tensor:
    """Encode and decode pictures with a network of this family: float32 in [0, 1], both.

    Args:
        network: It has ``encode`` and ``decoder``.
        picture: float32 (b, bands, height, width) in [0, 1].
    """
    code = network.encode(picture)  # type: ignore[operator]
    return torch.sigmoid(network.decoder(code))  # type: ignore[operator]


def to_uint8(picture: Tensor) -> NDArray[np.uint8]:
    """Turn float32 pictures in [0, 1] into uint8."""
    pixels: NDArray[np.uint8] = picture.clamp(0, 1).mul(255).round().byte().cpu().numpy()
    return pixels


def to_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn uint8 (1 or 3, height, width) into (height, width, 3)."""
    return np.ascontiguousarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0))
