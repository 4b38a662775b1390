"""A picture as a value: pixels and what a photograph carries besides."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from anamorph.errors import InputError
from anamorph.new_file import check_target
from anamorph.picture_format import Format, check_fits, check_quality, format_for
from anamorph.picture_metadata import Metadata
from anamorph.picture_reader import MAX_PIXELS, check_range, open_picture
from anamorph.picture_writer import encode_image, save_image
from anamorph.vips import from_array

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

_DTYPES: Final = ("uint8", "uint16", "float32")
_SHAPES: Final = "(height, width) or (height, width, 1 to 4)"


@dataclass(frozen=True, eq=False)
class Picture:
    """A still picture; neither it nor its pixels can be changed.

    Attributes:
        pixels: Grey (height, width), grey and alpha (height, width, 2), RGB (height, width, 3) or
            RGB and alpha (height, width, 4), encoded as files have it (sRGB where no profile says
            otherwise), alpha not multiplied in. uint8, uint16, or float32 in [0, 1]. Given float64
            becomes float32, and a last axis of 1 is dropped.
        icc: Colour profile.
        dpi: Horizontal and vertical resolution in pixels per inch; one number stands for both.
        exif: EXIF block that starts with ``Exif``; its orientation is applied to the pixels.
        xmp: XMP packet in UTF-8.
        origin: Model and version that made it, such as ``photo-x4@1``; files say so.

    Raises:
        InputError: The array has another shape or dtype, no pixels, or values that are no colours.
    """

    pixels: np.ndarray
    icc: bytes | None = None
    dpi: float | tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    origin: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", _checked(self.pixels))
        if self.dpi is not None:
            both = self.dpi if isinstance(self.dpi, tuple) else (self.dpi, self.dpi)
            if len(both) != 2 or not all(0 < number < 1e6 for number in both):
                raise InputError(f"dpi {self.dpi}: must be a positive number, or two")
            object.__setattr__(self, "dpi", (float(both[0]), float(both[1])))

    def __repr__(self) -> str:
        return f"Picture({self.width} x {self.height}, {self.mode}, {self.pixels.dtype})"

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.pixels.shape[0])

    @property
    def mode(self) -> str:
        """What the channels are: ``grey``, ``grey+alpha``, ``RGB`` or ``RGB+alpha``."""
        return ("grey", "grey+alpha", "RGB", "RGB+alpha")[self.bands.shape[2] - 1]

    @property
    def bands(self) -> np.ndarray:
        """The pixels with three axes always, (height, width, 1 to 4)."""
        return self.pixels if self.pixels.ndim == 3 else self.pixels[:, :, np.newaxis]

    @property
    def metadata(self) -> Metadata:
        """What it carries beside its pixels and its origin."""
        assert self.dpi is None or isinstance(self.dpi, tuple)
        return Metadata(icc=self.icc, dpi=self.dpi, exif=self.exif, xmp=self.xmp)

    @classmethod
    def open(
        cls, source: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS
    ) -> "Picture":
        """Read a PNG, JPEG, WebP, TIFF, AVIF or still GIF file.

        The orientation is applied, palettes are expanded, CMYK becomes sRGB; depth, grey, alpha,
        profile and resolution stay.

        Args:
            source: Path of a file, or a file's content.
            max_pixels: Greatest number of pixels that is accepted; checked before decoding.

        Raises:
            InputError: The file is missing, damaged, too large, animated or of another kind.
            OutputError: The temporary folder cannot hold what was decoded.
        """
        file = open_picture(source, max_pixels=max_pixels)
        height, width, _ = file.pixels.shape
        pixels = file.pixels.read(slice(0, height), slice(0, width))
        return cls(pixels, **vars(file.metadata))

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        quality: int | None = None,
        force: bool = False,
        format: str | None = None,
    ) -> None:
        """Write a file, all at once: it is there whole or not at all.

        16 bits are rounded to 8 for JPEG, WebP and GIF, and floats to 16 bits for PNG and AVIF.

        Args:
            path: File to write.
            quality: 1 to 100 for JPEG, WebP and AVIF; the others lose nothing and ignore it.
            force: Replace a file that exists.
            format: png, jpeg, webp, tiff, avif or gif; by default as the suffix has it.

        Raises:
            OutputError: The file exists, the format cannot hold the picture, or the disk refuses.
            InputError: The quality is out of range.
        """
        target = Path(path)
        form = format_for(target, format)
        check_quality(quality)
        self._check_fits(str(target), form)
        check_target(target, force=force)
        save_image(
            lambda: from_array(self.bands),
            target,
            form,
            metadata=self.metadata,
            origin=self.origin,
            quality=quality,
            force=force,
        )

    def encode(self, format: str, *, quality: int | None = None) -> bytes:
        """Return the content of the file that ``save`` would write.

        Raises:
            OutputError: The format is unknown or cannot hold the picture.
            InputError: The quality is out of range.
        """
        form = format_for(None, format)
        check_quality(quality)
        self._check_fits("(bytes)", form)
        return encode_image(
            lambda: from_array(self.bands),
            form,
            metadata=self.metadata,
            origin=self.origin,
            quality=quality,
        )

    def _check_fits(self, target: str, form: Format) -> None:
        height, width, bands = self.bands.shape
        check_fits(target, form, width=width, height=height, bands=bands)

    @classmethod
    def from_pillow(cls, image: "PillowImage") -> "Picture":
        """Take over a Pillow image of any mode that is grey, RGB, palette or CMYK.

        Orientation is applied; profile, resolution and EXIF are kept.

        Raises:
            InputError: The image is animated or its mode is another.
        """
        from anamorph.pillow_images import from_pillow

        return from_pillow(image)

    def to_pillow(self) -> "PillowImage":
        """Return a Pillow image; 16-bit grey stays so, other deep pictures are rounded to 8 bits.

        Raises:
            UnavailableError: Pillow is not installed.
        """
        from anamorph.pillow_images import to_pillow

        return to_pillow(self)

    def with_origin(self, origin: str) -> "Picture":
        """Return the same picture with a statement of what model made it."""
        return replace(self, origin=origin)


def _checked(pixels: object) -> np.ndarray:
    if not isinstance(pixels, np.ndarray):
        raise InputError(f"pixels of type {type(pixels).__name__}; accepted is a NumPy array")
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and not 1 <= pixels.shape[2] <= 4):
        raise InputError(f"array of shape {pixels.shape}; accepted is {_SHAPES}, channels last")
    if pixels.size == 0:
        raise InputError(f"array of shape {pixels.shape}: it has no pixels")
    if pixels.dtype == np.float64:
        pixels = pixels.astype(np.float32)
    if pixels.dtype.name not in _DTYPES:
        cure = "; use array.astype(np.uint8) * 255" if pixels.dtype == np.bool_ else ""
        raise InputError(
            f"array of dtype {pixels.dtype}; accepted are uint8, uint16, and floats in [0, 1]{cure}"
        )
    if pixels.dtype == np.float32:
        check_range(pixels, "array")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.flags.writeable:
        # A copy alone cannot change under us; what is read-only already is trusted.
        pixels = pixels.copy()
        pixels.flags.writeable = False
    return pixels
