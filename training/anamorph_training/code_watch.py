"""How well pictures come back from their codes while a network trains: error and sample sheets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anamorph_training.data.batches import prepare
from anamorph_training.data.images import Stack, choose_evenly
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.sheets import write_sheet

CODES_FILE: Final = "codes.npz"
_CODES: Final = 10_000
_AT_ONCE: Final = 256
_SHOWN: Final = 8


@dataclass(frozen=True)
class CodeWatch:
    """Measures and shows a network on held-out pictures while it trains.

    Attributes:
        network: What is measured, in evaluation mode: it has ``encode`` and ``decoder``.
        held: uint8 (n, bands, height, width), held out.
        known: What it learns from.
        device: Where the network is.
        run: Folder of the run.
    """

    network: nn.Module
    held: NDArray[np.uint8]
    known: Stack
    device: torch.device
    run: Path

    def measure(self, step: int, journal: Journal, progress: Progress) -> None:
        """Measure after ``step`` steps, and tell."""
        picture = self._prepare(self.held)
        error = (self.reconstruct(picture) - picture).square().mean()
        psnr = float(-10 * torch.log10(error.clamp(min=1e-10)))
        journal.write(step, psnr=psnr)
        progress.say(f"step {step}: {psnr:.2f} dB on {len(self.held)} held-out pictures")

    def sample(self, step: int, run: Path) -> None:
        """Write the sheet of ``step`` steps into a run: as they are, and from their codes."""
        shown = self.held[:_SHOWN]
        pairs = zip(shown, to_uint8(self.reconstruct(self._prepare(shown))), strict=True)
        rows = [[to_rgb(one) for one in pair] for pair in pairs]
        write_sheet(run / "samples" / f"{step:09}.png", ["held out", "from its code"], rows)

    def _prepare(self, pixels: NDArray[np.uint8]) -> Tensor:
        network: Any = self.network
        return prepare(pixels, equal_energy=network.size.equal_energy)

    def keep(self, step: int) -> None:
        """Write what the export needs beside the checkpoint of ``step`` steps.

        These are codes of up to 10,000 pictures that are learnt from, evenly chosen.
        """
        chosen = choose_evenly(len(self.known), _CODES)
        parts: list[tuple[NDArray[np.float32], ...]] = []
        for first in range(0, len(chosen), _AT_ONCE):
            picture = self._prepare(self.known.take(chosen[first : first + _AT_ONCE]))
            parts.append(self._encode(picture.to(self.device)))
        values = [np.concatenate(part) for part in zip(*parts, strict=True)]
        names = ("mean", "log_variance")
        file = self.run / CODES_FILE
        temporary = file.with_suffix(".tmp.npz")
        arrays: dict[str, Any] = dict(zip(names, values, strict=False)) | {"step": step}
        np.savez(temporary, **arrays)
        temporary.replace(file)

    @torch.inference_mode()
    def _encode(self, picture: Tensor) -> tuple[NDArray[np.float32], ...]:
        """Return codes; of a VAE, mean and log variance of the posterior."""
        network: Any = self.network
        if hasattr(network, "posterior"):
            return tuple(part.cpu().numpy() for part in network.posterior(picture))
        return (network.encode(picture).cpu().numpy(),)

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
    return network.decoder.show(code)  # type: ignore[operator, union-attr, no-any-return]


def to_uint8(picture: Tensor) -> NDArray[np.uint8]:
    """Turn float32 pictures in [0, 1] into uint8."""
    pixels: NDArray[np.uint8] = picture.clamp(0, 1).mul(255).round().byte().cpu().numpy()
    return pixels


def to_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn uint8 (1 or 3, height, width) into (height, width, 3)."""
    return np.ascontiguousarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0))
