"""How good a network is while it trains: PSNR and sample sheets of held-out pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anamorph_training.data.holdout import Held
from anamorph_training.data.patches import to_tensor
from anamorph_training.degradation import imresize, to_uint8
from anamorph_training.evaluation.texture import measure_large
from anamorph_training.evaluation.upscaling import Example
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.metrics import psnr_y
from anamorph_training.sheets import write_sheet

Upscale = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

_SHEET_SIDE: Final = 160  # pixels
_SHEET_ROWS: Final = 6
_MOST_DECIBELS: Final = 100.0


def enlarge(network: nn.Module, low: NDArray[np.uint8], device: torch.device) -> NDArray[np.uint8]:
    """Run a network on one picture: uint8 (height, width, 3) in, enlarged uint8 out."""
    with torch.inference_mode():
        output: Tensor = network(to_tensor(low[None]).to(device))
    pixels = output[0].float().clamp(0, 1).mul(255).permute(1, 2, 0).cpu().numpy()
    return to_uint8(pixels)


def bicubic(low: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Enlarge one picture without a network, as the baseline of the literature does."""
    enlarged: NDArray[np.uint8] = imresize(low, scale)
    return enlarged


def mean_psnr(held: list[Held], scale: int, made: list[NDArray[np.uint8]]) -> float:
    """Return the mean PSNR of the luma over the held-out pictures, in dB, at most 100 each."""
    values = [psnr_y(one, item.high, scale) for one, item in zip(made, held, strict=True)]
    return float(np.mean(np.minimum(values, _MOST_DECIBELS)))


def write_samples(
    path: Path,
    held: list[Held],
    scale: int,
    upscale: Upscale,
) -> None:
    """Write a sheet of crops: low resolution, bicubic, network, truth."""
    rows = []
    for item in held[:_SHEET_ROWS]:
        pictures = (
            item.low.repeat(scale, 0).repeat(scale, 1),
            bicubic(item.low, scale),
            upscale(item.low),
            item.high,
        )
        height, width = (min(_SHEET_SIDE, side) for side in item.high.shape[:2])
        top, left = (item.high.shape[0] - height) // 2, (item.high.shape[1] - width) // 2
        rows.append([p[top : top + height, left : left + width] for p in pictures])
    write_sheet(path, ["low resolution", "bicubic", "network", "truth"], rows)


@dataclass(frozen=True)
class Watch:
    """Measures and shows a network on held-out pictures while it trains.

    Attributes:
        network: What is measured, in evaluation mode.
        held: Held-out pictures.
        scale: Output pixels per input pixel along each axis.
        bicubic_psnr: Of bicubic enlargement on them, in dB.
        device: Where the network is.
        texture: Also compare the texture with the truth's.
    """

    network: nn.Module
    held: list[Held]
    scale: int
    bicubic_psnr: float
    device: torch.device
    texture: bool = False

    def measure(self, step: int, journal: Journal, progress: Progress) -> None:
        """Measure after ``step`` steps, and tell."""
        made = [self._upscale(item.low) for item in self.held]
        psnr = mean_psnr(self.held, self.scale, made)
        journal.write(step, psnr_y=psnr, psnr_y_bicubic=self.bicubic_psnr)
        progress.say(f"step {step}: {psnr:.2f} dB, bicubic {self.bicubic_psnr:.2f} dB")
        if self.texture:
            self._measure_texture(step, made, journal, progress)

    def sample(self, step: int, run: Path) -> None:
        """Write the sheet of ``step`` steps into a run."""
        sheet = run / "samples" / f"{step:09}.png"
        write_samples(sheet, self.held, self.scale, self._upscale)

    def _measure_texture(
        self, step: int, made: list[NDArray[np.uint8]], journal: Journal, progress: Progress
    ) -> None:
        """Compare the texture after ``step`` steps with the truth's, and tell.

        Pictures that are too small for it are left out; with none left, nothing is told.
        """
        examples = [Example("held out", self.scale, item.high, item.low) for item in self.held]
        texture = measure_large(made, examples)
        if texture is None:
            return
        journal.write(
            step,
            spectral_peak=texture.spectral_peak,
            colour_error=texture.colour_error,
            high_frequency_energy=texture.high_frequency_energy,
        )
        progress.say(
            f"step {step}: {texture.spectral_peak:.2f} times the truth's grid, "
            f"{texture.high_frequency_energy:.2f} times its fine detail; "
            f"colours are off by {texture.colour_error:.2f} of 255"
        )

    @property
    def _upscale(self) -> Upscale:
        return partial(enlarge, self.network, device=self.device)
