"""A practical degradation: what lenses, sensors, cameras and web sites do to photographs.

Blur, shrinking in one or two stages, noise and JPEG follow each other in random order, and most
results are JPEGs of delivery, as in BSRGAN (Zhang et al., "Designing a Practical Degradation Model
for Deep Blind Image Super-Resolution", 2021) and Real-ESRGAN (Wang et al., 2021). Milder than
either: meant are ordinary photographs of phones and web pages, not ruins. It differs further in
that nothing is ever enlarged on the way and every stage is centred, so that the result lies exactly
where the bicubic partner of `degradation.shrink` does, and in that blur takes the same share of a
small pixel at every scale.

Stages are pure functions of planes: float32 (3, height, width) in levels of 255, which noise may
exceed; JPEG and the end round and clip. All calls are safe in any thread.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from anamorph.errors import InputError
from anamorph.vips import from_array, load_vips, to_array
from anamorph_training.degradation import (
    CUBIC,
    Floats,
    Kernel,
    resize_rows,
    shrink,
    to_uint8,
)

Planes: TypeAlias = NDArray[np.float32]
Stage: TypeAlias = Callable[[Planes], Planes]
Interpolation = Literal["bicubic", "triangle", "area"]
Range: TypeAlias = tuple[float, float]

INTERPOLATIONS: Final[tuple[Interpolation, ...]] = ("bicubic", "triangle", "area")

# Pixels of the result along each edge that the default chain makes from what lies beyond it: blur
# reaches 3 * 0.5 (three sigmas), bicubic 2 in the last stage and 2 * scale**-0.2 in the one
# before, below 6 in all; what JPEG's blocks carry further is hardly more than their own rounding.
# Cut crops larger by this margin (times the scale) on every side, degrade them, cut it off.
MARGIN: Final = 8

_MCU: Final = 16  # pixels a side that JPEG codes together when chroma is halved


@dataclass(frozen=True)
class Chain:
    """How often each stage happens, and how strong it is; ranges are drawn from uniformly.

    Attributes:
        clean: Share of pictures that are shrunk bicubically and not harmed at all.
        blur: Share of the others that are blurred.
        blur_sigma: Least and greatest standard deviation of the blur, in pixels of the large
            picture for every unit of scale: (0.05, 0.5) is 0.2 to 2 pixels at scale 4.
        anisotropic: Share of blurs with two standard deviations and a random angle.
        two_stages: Share that is shrunk twice, each time by another random interpolation.
        noise: Share with noise.
        noise_sigma: Its least and greatest standard deviation, in levels of 255, in the pixels
            that it meets: four times less is left of it after shrinking by four.
        shot: Share of noise that is shot noise, with that standard deviation at white.
        coloured: Share of noise that is drawn for each channel on its own.
        camera: Share with a first JPEG, somewhere between the other stages.
        camera_quality: Its least and greatest quality, 1 to 100.
        delivery: Share with a JPEG after all other stages.
        delivery_quality: Its least and greatest quality, 1 to 100.
        subsampled: Share of JPEGs with halved chroma (4:2:0); the others are 4:4:4.
    """

    clean: float = 0.08
    blur: float = 0.7
    blur_sigma: Range = (0.05, 0.5)
    anisotropic: float = 0.4
    two_stages: float = 0.5
    noise: float = 0.6
    noise_sigma: Range = (1, 6)
    shot: float = 0.5
    coloured: float = 0.6
    camera: float = 0.3
    camera_quality: Range = (80, 96)
    delivery: float = 0.85
    delivery_quality: Range = (65, 95)
    subsampled: float = 0.6


MODERATE: Final = Chain()


def degrade(
    image: NDArray[np.uint8],
    scale: int,
    generator: np.random.Generator,
    strength: float = 1.0,
    chain: Chain = MODERATE,
) -> NDArray[np.uint8]:
    """Make the low-resolution partner that an ordinary photograph would be.

    Args:
        image: uint8 (height, width, 3), sRGB; both sides multiples of ``scale``.
        scale: Pixels of the picture per pixel of its partner, along each axis.
        generator: Decides everything: from the same state come the same bytes.
        strength: Multiplies blur, noise and JPEG's distance from quality 100; 0 leaves the kinds
            of shrinking, and JPEG at quality 100.
        chain: Shares and ranges of the stages.

    Returns:
        uint8 (height / scale, width / scale, 3); see `MARGIN` for its edges.

    Raises:
        InputError: The strength is negative or not finite.
    """
    if not 0 <= strength < math.inf:
        raise InputError(f"a strength of {strength} cannot be; give 0 (none), 1 (moderate) or more")
    assert image.shape[0] % scale == 0, "crop to a multiple of the scale first"
    assert image.shape[1] % scale == 0, "crop to a multiple of the scale first"
    if generator.random() < chain.clean:
        return shrink(image, scale)
    planes = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
    for stage in draw_stages(image.shape[0], image.shape[1], scale, generator, strength, chain):
        planes = stage(planes)
    return np.ascontiguousarray(to_uint8(planes).transpose(1, 2, 0))


def draw_stages(
    height: int,
    width: int,
    scale: int,
    generator: np.random.Generator,
    strength: float = 1.0,
    chain: Chain = MODERATE,
) -> list[Stage]:
    """Draw which stages a picture goes through, in which order and how strong.

    Args:
        height: Of the large picture, in pixels.
        width: Of the large picture, in pixels.
        scale: As for `degrade`, like the rest.
        generator: Also kept by the stage that adds noise: apply the stages once, in order.
        strength: As for `degrade`.
        chain: As for `degrade`.

    Returns:
        Calls of `blur`, `resize`, `add_noise` and `jpeg` that lack the planes alone.
    """

    def happens(share: float) -> bool:
        return bool(generator.random() < share)

    # Pixels of the large picture per pixel, after each stage of shrinking.
    pitches = [float(scale)]
    if happens(chain.two_stages):
        pitches.insert(0, scale ** generator.uniform(0.2, 0.8))
    order = ["shrink"] * len(pitches)
    order += ["blur"] * happens(chain.blur)
    order += ["noise"] * happens(chain.noise)
    order += ["camera"] * happens(chain.camera)
    order = [order[index] for index in generator.permutation(len(order))]
    order += ["delivery"] * happens(chain.delivery)
    pitch = 1.0
    stages: list[Stage] = []
    for name in order:
        match name:
            case "shrink":
                pitch = pitches.pop(0)
                size = (round(height / pitch), round(width / pitch))
                kind = INTERPOLATIONS[generator.integers(len(INTERPOLATIONS))]
                stages.append(partial(resize, size=size, interpolation=kind))
            case "blur":
                sigmas = strength * scale / pitch * generator.uniform(*chain.blur_sigma, size=2)
                along, across = sigmas if happens(chain.anisotropic) else sigmas[[0, 0]]
                angle = generator.uniform(0, math.pi)
                stages.append(partial(blur, along=along, across=across, angle=angle))
            case "noise":
                stages.append(_draw_noise(generator, strength, chain))
            case "camera":
                stages.append(_draw_jpeg(generator, chain.camera_quality, strength, chain))
            case "delivery":
                stages.append(_draw_jpeg(generator, chain.delivery_quality, strength, chain))
    return stages


def _draw_noise(generator: np.random.Generator, strength: float, chain: Chain) -> Stage:
    sigma = strength * generator.uniform(*chain.noise_sigma)
    shot = generator.random() < chain.shot
    return partial(
        add_noise,
        read=0 if shot else sigma,
        shot=sigma if shot else 0,
        coloured=bool(generator.random() < chain.coloured),
        generator=generator,
    )


def _draw_jpeg(
    generator: np.random.Generator, quality: Range, strength: float, chain: Chain
) -> Stage:
    loss = strength * (100 - generator.uniform(*quality))
    return partial(
        jpeg,
        quality=max(1, round(100 - loss)),
        subsampled=bool(generator.random() < chain.subsampled),
        phase=(int(generator.integers(_MCU)), int(generator.integers(_MCU))),
    )


def blur(planes: Planes, *, along: float, across: float, angle: float = 0.0) -> Planes:
    """Convolve with a Gaussian, edges mirrored.

    Args:
        planes: As the module says.
        along: Standard deviation along its axis, in pixels of ``planes``; 0 or more.
        across: Standard deviation perpendicular to that.
        angle: Of the axis, in radians from the direction of columns to that of rows.
    """
    _, height, width = planes.shape
    reach = math.ceil(4 * max(along, across))
    # Whole multiples of 24 have small prime factors, for which the FFT is quick.
    spare = [-(side + 2 * reach) % 24 for side in (height, width)]
    padding = ((0, 0), (reach, reach + spare[0]), (reach, reach + spare[1]))
    padded = np.pad(planes, padding, mode="symmetric")
    rows = np.fft.fftfreq(padded.shape[1])[:, None]  # cycles per pixel
    columns = np.fft.rfftfreq(padded.shape[2])[None, :]
    major = along * (columns * math.cos(angle) + rows * math.sin(angle))
    minor = across * (rows * math.cos(angle) - columns * math.sin(angle))
    response = np.exp(-2 * math.pi**2 * (major**2 + minor**2)).astype(np.float32)
    blurred = np.fft.irfft2(np.fft.rfft2(padded) * response, s=padded.shape[1:])
    inner = blurred[:, reach : reach + height, reach : reach + width]
    return np.ascontiguousarray(inner, np.float32)


def resize(planes: Planes, *, size: tuple[int, int], interpolation: Interpolation) -> Planes:
    """Shrink to an exact size, antialiased, the picture's corners kept in place.

    Args:
        planes: As the module says.
        size: Height and width of the result, in pixels, not above those of ``planes``.
        interpolation: Keys' cubic or the triangle, both widened by the factor, or the mean over
            the area that a pixel of the result covers.
    """
    rows = _weights(planes.shape[1], size[0], interpolation)
    columns = _weights(planes.shape[2], size[1], interpolation)
    shrunk: Planes = np.matmul(np.matmul(rows, planes), columns.T)
    return shrunk


@lru_cache(maxsize=2)  # the two axes of a square ask for the same
def _weights(length: int, size: int, interpolation: Interpolation) -> Planes:
    """Return what each of ``length`` samples adds to each of ``size``: float32 (size, length)."""
    kernels = {
        "bicubic": CUBIC,
        "triangle": Kernel(_triangle, 1),
        "area": Kernel(partial(_overlap, stretch=length / size), 1),
    }
    # Resizing the identity gives the matrix, which is quicker to apply than tap by tap.
    weights = resize_rows(np.eye(length), size / length, kernels[interpolation])
    return weights.astype(np.float32)


def _triangle(x: Floats) -> Floats:
    weights: Floats = np.clip(1 - np.abs(x), 0, 1)
    return weights


def _overlap(x: Floats, stretch: float) -> Floats:
    """Return the part of an input sample at ``x`` that an output sample covers, both in outputs."""
    part: Floats = np.clip((stretch + 1) / 2 - np.abs(x) * stretch, 0, 1)
    return part


def add_noise(
    planes: Planes, *, read: float, shot: float, coloured: bool, generator: np.random.Generator
) -> Planes:
    """Add the noise of a sensor: its variance is ``read**2 + shot**2 * level / 255``.

    Shot noise is drawn as Gaussian, which Poisson's law comes to at the counts of usable pictures.

    Args:
        planes: As the module says.
        read: Standard deviation of what does not depend on the light, in levels of 255.
        shot: Standard deviation of shot noise at white, in levels of 255.
        coloured: Whether channels are drawn each on its own, instead of once for all three.
        generator: Decides the noise.
    """
    shape = (3 if coloured else 1, *planes.shape[1:])
    noise = generator.standard_normal(shape, dtype=np.float32)
    if shot == 0:
        return planes + np.float32(read) * noise
    variance = np.float32(read**2) + np.float32(shot**2 / 255) * np.clip(planes, 0, 255)
    noisy: Planes = planes + np.sqrt(variance) * noise
    return noisy


def jpeg(
    planes: Planes, *, quality: int, subsampled: bool, phase: tuple[int, int] = (0, 0)
) -> Planes:
    """Write as baseline JPEG and read back.

    Args:
        planes: As the module says; rounded and clipped to whole levels.
        quality: Of libjpeg, 1 to 100.
        subsampled: Whether chroma is halved along both axes (4:2:0), or kept (4:4:4).
        phase: Rows and columns, 0 to 15, by which the first block begins before the picture: a
            crop of a JPEG may begin anywhere between the blocks.
    """
    top, left = phase
    padded = np.pad(planes, ((0, 0), (top, 0), (left, 0)), mode="edge")
    vips = load_vips()
    data = vips.Operation.call(
        "jpegsave_buffer",
        from_array(to_uint8(padded).transpose(1, 2, 0)),
        Q=quality,
        subsample_mode="on" if subsampled else "off",
        keep="none",
    )
    decoded = to_array(vips.Operation.call("jpegload_buffer", data))
    return np.ascontiguousarray(decoded[top:, left:].transpose(2, 0, 1), np.float32)
