"""Pictures to and from Pillow, which is optional: only users who hold its images need it."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from anamorph.errors import InputError, UnavailableError
from anamorph.picture import Picture
from anamorph.picture_metadata import profile_fits

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# How each mode becomes one that an array holds as it is.
_CONVERSIONS: Final = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "La": "LA",
    "P": "RGB",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBX": "RGB",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
    "I;16": "I;16",
    "I;16L": "I;16",
    "I;16B": "I;16B",
    "F": "F",
}
_CONVERTED_COLOURS: Final = ("CMYK", "YCbCr", "LAB", "HSV")


def from_pillow(image: "PillowImage") -> Picture:
    """See ``Picture.from_pillow``."""
    from PIL import ImageOps

    if getattr(image, "n_frames", 1) > 1:
        raise InputError(
            f"Pillow image with {image.n_frames} frames; copy the one you mean: "  # type: ignore[attr-defined]
            "image.seek(0); image.copy()"
        )
    if image.mode not in _CONVERSIONS:
        raise InputError(
            f"Pillow image of mode {image.mode}; accepted are {', '.join(_CONVERSIONS)}: "
            "use image.convert('RGB')"
        )
    icc, dpi = image.info.get("icc_profile"), image.info.get("dpi")
    upright = ImageOps.exif_transpose(image)
    exif = upright.getexif()
    target = _CONVERSIONS[image.mode]
    if "transparency" in image.info and target in ("L", "RGB"):
        target = "LA" if target == "L" else "RGBA"
    if upright.mode != target:
        upright = upright.convert(target)
    pixels = np.array(upright)
    if pixels.dtype.byteorder == ">":
        pixels = pixels.astype(np.uint16)
    bands = 1 if pixels.ndim == 2 else pixels.shape[2]
    if image.mode in _CONVERTED_COLOURS or (icc and not profile_fits(icc, bands)):
        icc = None
    return Picture(pixels, icc=icc or None, dpi=_resolution(dpi), exif=_block(exif))


def _resolution(dpi: Any) -> tuple[float, float] | None:
    if not isinstance(dpi, tuple) or len(dpi) != 2 or min(dpi) <= 0:
        return None
    return float(dpi[0]), float(dpi[1])


def _block(exif: Any) -> bytes | None:
    return exif.tobytes() if len(exif) else None


def to_pillow(picture: Picture) -> "PillowImage":
    """See ``Picture.to_pillow``."""
    try:
        from PIL import Image
    except ImportError:
        raise UnavailableError(
            "Pillow is not installed; install it with: pip install pillow"
        ) from None
    pixels = picture.pixels
    if pixels.dtype == np.float32:
        pixels = (pixels * 255 + 0.5).astype(np.uint8)
    elif pixels.dtype == np.uint16 and pixels.ndim == 3:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    carried = {"icc_profile": picture.icc, "dpi": picture.dpi, "exif": picture.exif}
    image.info.update({key: value for key, value in carried.items() if value is not None})
    return image
