"""What the gate asks of an upscaler besides parity: range, context, files and quality."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from anamorph.card import Card
from anamorph_export.gate import Finding, Floats, GateError, Run, answer
from anamorph_export.measuring import Figures
from anamorph_training.evaluation.texture import Texture

# An enlarged picture is as bright as the picture, in each colour, but for its edges.
BRIGHTNESS_TOLERANCE: Final = 0.05
# Weights that learnt anything beat bicubic by this much; trained ones by 1.5 to 3 dB.
LEAST_GAIN_DB: Final = 0.3
# Invented detail costs PSNR, which bicubic blur does not pay: SRGAN's own is at bicubic's on
# Set14 and 0.44 dB below it on comic (Ledig et al., 2017).
LEAST_PERCEPTUAL_GAIN_DB: Final = -1.0
# Bounds on invented texture, against that of the originals; 1 is as much as they have. On Set14 a
# grid of 0.3 levels gives a peak of 1.16, other detail of about the same spectrum 0.96 to 1.00.
GREATEST_SPECTRAL_PEAK: Final = 1.1
GREATEST_COLOUR_ERROR: Final = 1.0  # levels of 255, per pixel of the picture shrunk again
HIGH_FREQUENCY_ENERGY: Final = (0.8, 1.2)
# Float results that differ in their last bits may round to neighbouring levels: this share may.
_ROUNDED_APART: Final = 1e-3

Pixels = NDArray[np.uint8]


def upscaler_shapes(card: Card) -> list[tuple[int, int, int, int]]:
    """Return input shapes to try: least, odd, wide and tall, in batches of one, two and three."""

    def fit(side: int) -> int:
        least = max(side, card.minimum_size)
        return -(-least // card.size_multiple) * card.size_multiple

    sizes = ((1, 1, 1), (2, 17, 31), (1, 40, 33), (3, 48, 64), (2, 7, 96))
    return [(batch, 3, fit(height), fit(width)) for batch, height, width in sizes]


def tile_side(card: Card) -> int:
    """Return the side of small tiles, context included, in input pixels."""
    reach = (card.context_before or 0) + (card.context_after or 0)
    return -(-(reach + 16) // card.size_multiple) * card.size_multiple


def check_range(run: Run, batches: Sequence[Floats], card: Card) -> Finding:
    """Refuse outputs that leave the card's range, or are not as bright as the inputs.

    Args:
        run: Runs the exported file.
        batches: Pictures as the card describes them, float32 (batch, 3, height, width).
        card: States the range of input and output.
    """
    low, high = card.outputs[0].minimum, card.outputs[0].maximum
    assert low is not None, "an upscaler's card states its range"
    assert high is not None, "an upscaler's card states its range"
    worst = 0.0
    for batch in batches:
        large = run(batch)
        least, greatest = float(large.min()), float(large.max())
        if not (low <= least and greatest <= high):
            raise GateError(
                f"range: outputs reach from {least:.4g} to {greatest:.4g}, the card says {low:g} "
                f"to {high:g}; scale and clip the graph's output"
            )
        change = large.mean((2, 3)) - batch.mean((2, 3))
        worst = max(worst, float(np.abs(change).max()) / (high - low))
        if not worst <= BRIGHTNESS_TOLERANCE:
            raise GateError(
                f"range: the mean of a colour changes by {worst:.2g} of the range, "
                f"{BRIGHTNESS_TOLERANCE:g} is allowed; train the network, or give it the card's "
                f"range {low:g} to {high:g} and its order {', '.join(card.inputs[0].channels)}"
            )
    return Finding(
        "range",
        f"within {low:g} to {high:g}, brightness to {worst:.3f}",
        f"brightness to {BRIGHTNESS_TOLERANCE:g}",
    )


def check_context(run: Run, card: Card) -> Finding:
    """Refuse a card that states another context than a probe of the file sees.

    Args:
        run: Runs the exported file.
        card: States the context, in input pixels.
    """
    from anamorph.checking import probe_context

    stated = (card.context_before, card.context_after)
    if card.context_before is None or card.context_after is None:
        return Finding("context", "unbounded", "runs whole")
    # Room for twice the stated context, so that a longer reach is seen for what it is.
    side = 4 * max(card.context_before, card.context_after, 4) + 8
    side = -(-side // card.size_multiple) * card.size_multiple
    seen = probe_context(run, scale=card.scale, size=side)
    if (seen.before, seen.after) != stated:
        raise GateError(
            f"context: an output depends on {seen.before} pixels before and {seen.after} after "
            f"it, the card says {stated[0]} and {stated[1]}, they must be equal; correct the "
            "network's context"
        )
    return Finding("context", f"{seen.before} before, {seen.after} after", "equal to the card's")


def check_files(
    model: Path, reference: nn.Module, pictures: Sequence[Pixels], folder: Path
) -> Finding:
    """Refuse a file that the runtime turns into other pictures than PyTorch does.

    Args:
        model: The exported file.
        reference: The graph in PyTorch.
        pictures: uint8 (height, width, 3), RGB.
        folder: For the pictures' files.
    """
    import anamorph

    upscaler = anamorph.load(model, device="cpu", threads=torch.get_num_threads())
    tile = tile_side(upscaler.card)
    worst = 0
    for number, picture in enumerate(pictures):
        source = folder / f"{number}.png"
        _write_png(source, picture)
        results = []
        for name, size in (("whole", None), ("tiled", tile)):
            target = folder / f"{number}-{name}.png"
            upscaler.upscale_file(source, target, tile=size)
            results.append(_read_png(target))
        batch = picture.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
        expected = np.rint(answer(reference, batch)[0].transpose(1, 2, 0) * 255).astype(np.int16)
        whole, tiled = results
        worst = max(worst, _difference("whole", whole, expected))
        _difference("tiled", tiled, expected)
        if (apart := float(np.mean(whole != tiled))) > _ROUNDED_APART:
            raise GateError(
                f"files: {apart:.2%} of the samples of a tiled picture differ from the whole, "
                f"{_ROUNDED_APART:.1%} is allowed; correct the card's context and alignment"
            )
    return Finding(
        "files", f"{len(pictures)} pictures, {worst} of 255 apart", "1 of 255, tiled as whole"
    )


def check_quality(figures: Figures, *, least_gain: float = LEAST_GAIN_DB) -> Finding:
    """Refuse weights that are not near enough to pictures they were not trained on.

    Args:
        figures: Measured on held-out pictures with the exported file.
        least_gain: dB of PSNR above bicubic.
    """
    gain = figures.psnr_y - figures.psnr_y_bicubic
    if not gain >= least_gain:
        raise GateError(
            f"quality: on {figures.pictures} held-out pictures the file gives "
            f"{figures.psnr_y:.2f} dB, bicubic {figures.psnr_y_bicubic:.2f} dB; "
            f"{figures.psnr_y_bicubic + least_gain:.2f} dB are required; train longer"
        )
    return Finding(
        "quality",
        f"{figures.psnr_y:.2f} dB, bicubic {figures.psnr_y_bicubic:.2f} dB",
        f"at least {figures.psnr_y_bicubic + least_gain:.2f} dB",
    )


def check_texture(texture: Texture) -> Finding:
    """Refuse an upscaler whose invented detail draws a grid, tints, or is too faint or strong.

    Args:
        texture: Measured on pictures that the network was not trained on, with the exported file.
    """
    peak, error, energy = (
        texture.spectral_peak,
        texture.colour_error,
        texture.high_frequency_energy,
    )
    least, greatest = HIGH_FREQUENCY_ENERGY
    if not peak <= GREATEST_SPECTRAL_PEAK:
        raise GateError(
            f"texture: a grid of the scale's period stands {peak:.3g} times as far out of the "
            f"spectrum as in the originals, {GREATEST_SPECTRAL_PEAK:g} is allowed; "
            "train longer, or with more --grid-weight"
        )
    if not least <= energy <= greatest:
        change = "lower" if energy > greatest else "raise"
        raise GateError(
            f"texture: {energy:.3g} times the originals' energy above the small picture's "
            f"frequencies, {least:g} to {greatest:g} is allowed; {change} "
            "--adversarial-weight, or train longer"
        )
    if not error <= GREATEST_COLOUR_ERROR:
        raise GateError(
            f"texture: shrunk again, colours are off by {error:.3g} of 255 in the mean, "
            f"{GREATEST_COLOUR_ERROR:g} is allowed; train with more --consistency-weight"
        )
    return Finding(
        "texture",
        f"grid {peak:.3f}, fine detail {energy:.3f} times the originals', colours {error:.2f} of "
        "255 off when shrunk again",
        f"grid to {GREATEST_SPECTRAL_PEAK:g}, fine detail {least:g} to {greatest:g}, colours to "
        f"{GREATEST_COLOUR_ERROR:g}",
    )


def _difference(kind: str, result: Pixels, expected: NDArray[np.int16]) -> int:
    if result.shape != expected.shape:
        raise GateError(
            f"files: the {kind} picture is {result.shape}, {expected.shape} is expected; correct "
            "the card's scale"
        )
    worst = int(np.abs(result.astype(np.int16) - expected).max())
    if worst > 1:
        raise GateError(
            f"files: the {kind} picture differs by {worst} of 255 from PyTorch's, 1 is allowed; "
            "correct the card's range, context and alignment"
        )
    return worst


def _write_png(path: Path, pixels: Pixels) -> None:
    import pyvips

    pyvips.Image.new_from_array(pixels).pngsave(str(path))


def _read_png(path: Path) -> Pixels:
    import pyvips

    pixels: Pixels = pyvips.Image.new_from_file(str(path)).numpy()
    return pixels
