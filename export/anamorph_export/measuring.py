"""Figures of an exported upscaler on pictures whose truth is known, beside bicubic's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from anamorph.card import Metric
from anamorph.errors import InputError
from anamorph_training.evaluation.texture import Texture, measure_large
from anamorph_training.evaluation.upscaling import (
    Example,
    find_method,
    measure,
    read_pairs,
)


@dataclass(frozen=True)
class Figures:
    """Means over a set of pictures, on the luma.

    Attributes:
        on: Name of the set.
        pictures: How many there are.
        psnr_y: dB.
        psnr_y_bicubic: dB, of bicubic enlargement.
        ssim_y: At most 1.
        ssim_y_bicubic: Of bicubic enlargement.
        texture: Beside that of the originals, where it was measured.
    """

    on: str
    pictures: int
    psnr_y: float
    psnr_y_bicubic: float
    ssim_y: float
    ssim_y_bicubic: float
    texture: Texture | None = None

    def metrics(self) -> tuple[Metric, ...]:
        """Return the figures as a card holds them."""
        return (
            Metric(
                name="psnr_y",
                on=self.on,
                value=round(self.psnr_y, 3),
                unit="dB",
                baseline=round(self.psnr_y_bicubic, 3),
            ),
            Metric(
                name="ssim_y",
                on=self.on,
                value=round(self.ssim_y, 4),
                baseline=round(self.ssim_y_bicubic, 4),
            ),
            *self._texture_metrics(),
        )

    def _texture_metrics(self) -> tuple[Metric, ...]:
        if self.texture is None:
            return ()
        figures = {
            "spectral_peak": (self.texture.spectral_peak, "of the originals'"),
            "colour_error": (self.texture.colour_error, "of 255"),
            "high_frequency_energy": (self.texture.high_frequency_energy, "of the originals'"),
        }
        return tuple(
            Metric(name=name, on=self.on, value=round(value, 3), unit=unit)
            for name, (value, unit) in figures.items()
        )


def measure_file(
    file: Path, on: str, examples: Sequence[Example], *, texture: bool = False
) -> Figures:
    """Run an exported upscaler, and bicubic, on a set of pictures.

    Args:
        file: With its card.
        on: Name of the set.
        examples: Test pictures of the file's scale.
        texture: Also measure the texture of those at least 16 times the scale a side.
    """
    threads, scale = torch.get_num_threads(), examples[0].scale
    (model, pictures), (bicubic, _) = (
        measure(name, find_method(name, scale, device="cpu", threads=threads), examples)
        for name in (str(file), "bicubic")
    )
    return Figures(
        on=on,
        pictures=len(examples),
        psnr_y=model.psnr_y,
        psnr_y_bicubic=bicubic.psnr_y,
        ssim_y=model.ssim_y,
        ssim_y_bicubic=bicubic.ssim_y,
        texture=measure_large(pictures, examples) if texture else None,
    )


def read_holdout(run: Path, scale: int) -> list[Example]:
    """Read the pairs that a run kept aside.

    Raises:
        InputError: The run kept none, or they are made for another scale.
    """
    folder = run / "holdout"
    if folder.is_dir() and not any(folder.glob("*_LR.png")):
        raise InputError(f"{run}: is a run of an older version; train it again with this one")
    if not folder.is_dir():
        raise InputError(
            f"{run}: kept no held-out pictures, without which quality cannot be checked; "
            "continue its training"
        )
    return read_test_set(folder, scale)


def read_test_set(folder: Path, scale: int) -> list[Example]:
    """Read a test set: ``NAME_HR.png`` beside ``NAME_LR.png``.

    Raises:
        InputError: There is no pair, or one is made for another scale.
    """
    examples = read_pairs(folder)
    for example in examples:
        if example.scale != scale:
            raise InputError(
                f"{folder}: {example.name} is made for scale {example.scale}, the model's is "
                f"{scale}; give the set for that scale"
            )
    return examples
