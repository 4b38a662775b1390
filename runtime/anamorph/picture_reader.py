"""Open picture files of any accepted kind as plain grey or RGB pixels with or without alpha."""

import io
import os
import re
import stat
import struct
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from anamorph.errors import InputError
from anamorph.picture_format import SIGNATURE_BYTES, Format, recognise
from anamorph.picture_metadata import Metadata, read_metadata
from anamorph.pixels import FilePixels
from anamorph.vips import DTYPES, interruptibly, load_vips, one_line

MAX_PIXELS: Final = 2**28
BYTES: Final = "(bytes)"  # how messages call a file that was given as its content
_ROWS_AT_ONCE: Final = 128

# Decoders call these damage, but every pixel is there.
_HARMLESS: Final = re.compile(r"extraneous bytes before marker|Invalid SOS parameters")
# Encoded grey or RGB already; float TIFF comes as "scrgb", but its values are taken as they are.
_PLAIN: Final = ("b-w", "grey16", "srgb", "rgb", "rgb16", "scrgb", "multiband")


@dataclass(frozen=True)
class PictureFile:
    """An opened picture file.

    Attributes:
        name: What it was opened from, for messages.
        format: Its format.
        pixels: Its pixels, upright; libvips keeps them in memory, or in a temporary file
            above 16 MB.
        metadata: What it carries besides.
    """

    name: str
    format: Format
    pixels: FilePixels
    metadata: Metadata


def open_picture(
    source: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS
) -> PictureFile:
    """Open a picture file, check its header, then decode it to know that it is whole.

    Args:
        source: Path of a file, or a file's content.
        max_pixels: Greatest number of pixels that is accepted; checked before decoding.

    Raises:
        InputError: It is missing, empty, in no accepted format, damaged, too large, animated, or
            holds values that are no colours.
        OutputError: The temporary folder cannot hold what was decoded.
    """
    name = BYTES if isinstance(source, bytes) else os.fspath(source)
    for lenient in (False, True):
        try:
            with _open_bytes(source, name) as file:
                opening = partial(_open, file, name, max_pixels=max_pixels, lenient=lenient)
                return interruptibly(opening)
        except InputError as error:
            if lenient or not _HARMLESS.search(str(error)):
                raise
    raise AssertionError("the second round returns or raises")


def _open_bytes(source: str | os.PathLike[str] | bytes, name: str) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        # A pipe or a device would block for ever, so look before opening.
        if stat.S_ISREG(Path(source).stat().st_mode):
            return Path(source).open("rb")
    except FileNotFoundError:
        raise InputError(f"{name}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"{name}: cannot be read ({reason}); check the path") from None
    raise InputError(f"{name}: not a regular file; give a picture file")


def _open(file: BinaryIO, name: str, *, max_pixels: int, lenient: bool) -> PictureFile:
    head = file.read(SIGNATURE_BYTES)
    form = recognise(head, name)
    if form.name == "avif" and head[8:12] == b"avis":
        raise _animated(name, "an image sequence")
    if form.name == "png":
        _refuse_animated_png(file, name)
    vips = load_vips()
    try:
        image = _load(file, form, fail_on="error" if lenient else "warning")
        _check_header(image, name, form, max_pixels=max_pixels)
        metadata, image = _normalise(image, name)
    except vips.Error as error:
        raise InputError(
            f"{name}: damaged or unreadable {form.title} ({one_line(error)}); "
            "get a whole copy of the file, or save it anew with 8 or 16 bits per channel"
        ) from None
    picture = PictureFile(name, form, FilePixels(image, name), metadata)
    _check_pixels(picture)
    if form.name == "gif":
        # A palette may declare transparency that no pixel uses.
        picture = replace(picture, pixels=picture.pixels.without_opaque_alpha())
    return picture


def _load(file: BinaryIO, form: Format, *, fail_on: str) -> Any:
    vips = load_vips()
    if isinstance(file, io.BytesIO):
        source = vips.Source.new_from_memory(file.getvalue())
    else:
        file.seek(0)
        source = vips.Source.new_from_descriptor(file.fileno())  # which it duplicates
    options = {"access": "random", "fail_on": fail_on}
    return vips.Operation.call(f"{form.nickname}load_source", source, **options)


def _refuse_animated_png(file: BinaryIO, name: str) -> None:
    """Look for an ``acTL`` chunk, which decoders of still pictures pass over in silence."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"acTL":
            frames = int.from_bytes(file.read(4), "big")
            if frames > 1:
                raise _animated(name, f"{frames} frames")
        if kind in (b"acTL", b"IDAT"):
            return
        file.seek(length + 4, os.SEEK_CUR)


def _animated(name: str, what: str) -> InputError:
    return InputError(
        f"{name}: animated or of several pages ({what}); single pictures are accepted, "
        "so take out one first"
    )


def _check_header(image: Any, name: str, form: Format, *, max_pixels: int) -> None:
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    if pages > 1:
        raise _animated(name, f"{pages} {'pages' if form.name == 'tiff' else 'frames'}")
    if form.name == "avif" and image.get("heif-compression") != "av1":
        raise InputError(f"{name}: a HEIC picture, which is not accepted; convert it to AVIF")
    if image.width * image.height > max_pixels:
        raise InputError(
            f"{name}: {image.width} x {image.height} pixels exceed the limit of "
            f"{max_pixels / 1e6:.4g} megapixels; if you trust the file, raise it with "
            "--max-megapixels N (max_pixels=N in Python)"
        )


def _normalise(image: Any, name: str) -> tuple[Metadata, Any]:
    """Return metadata, and the pixels as grey or RGB, upright, in one of three dtypes."""
    image = image.autorot()
    metadata = read_metadata(image, keep_profile=image.interpretation in _PLAIN)
    if image.interpretation == "cmyk":
        deep = image.format != "uchar"
        image = image.icc_transform(
            "srgb", embedded=True, input_profile="cmyk", depth=16 if deep else 8
        )
    elif image.interpretation not in _PLAIN:
        image = image.colourspace("rgb16" if image.format != "uchar" else "srgb")
    elif image.get_typeof("heif-compression") and image.format == "ushort":
        image = _stretch(image)
    if image.format == "double":
        image = image.cast("float")
    if image.format not in DTYPES:
        raise InputError(
            f"{name}: pixels of type {image.format}; accepted are unsigned 8 and 16 bit and float, "
            "so convert it first"
        )
    if image.bands > 4:
        raise InputError(
            f"{name}: {image.bands} channels; accepted are grey or RGB, and alpha, so take out the "
            "others first"
        )
    return metadata, image


def _stretch(image: Any) -> Any:
    """Let white be 65535: AVIF's 10 or 12 bits come as the upper ones of 16, the rest zero."""
    bits = image.get("bits-per-sample") if image.get_typeof("bits-per-sample") else 16
    return image | (image >> bits) if 8 < bits < 16 else image


def _check_pixels(picture: PictureFile) -> None:
    """Decode once, so that a damaged file is known before any computing.

    All formats but TIFF are decoded whole when their first row is asked for.
    """
    pixels = picture.pixels
    height, width, _ = pixels.shape
    if picture.format.name != "tiff":
        pixels.read(slice(0, 1), slice(0, width))
        return
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = pixels.read(slice(top, min(top + _ROWS_AT_ONCE, height)), slice(0, width))
        if pixels.dtype == "float32":
            check_range(rows, picture.name)


def check_range(values: np.ndarray, name: str) -> None:
    """Refuse floats that are no colours.

    Raises:
        InputError: A value is NaN, infinite, or outside [0, 1].
    """
    least, greatest = float(values.min()), float(values.max())
    if np.isfinite(least) and np.isfinite(greatest) and least >= 0 and greatest <= 1:
        return
    if not np.isfinite(values).all():
        found = "NaN or infinity"
    else:
        found = f"values from {least:.4g} to {greatest:.4g}"
    raise InputError(
        f"{name}: {found} among its floats; accepted are values from 0 to 1, so rescale them first"
    )
