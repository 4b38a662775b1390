"""Save pictures in any of the formats, with what they carry."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from anamorph.errors import OutputError
from anamorph.new_file import replacing
from anamorph.picture_format import Format
from anamorph.picture_metadata import INCH, Metadata, attach_metadata, describe_origin
from anamorph.vips import DTYPES, interpretation, interruptibly, load_vips, one_line

_QUALITY: Final = {"jpeg": 92, "webp": 90, "avif": 75}
_UNKNOWN_DPI: Final = 72.0  # what EXIF means where it says nothing
_BIGTIFF_BYTES: Final = 3 * 2**30


def save_image(
    make: Callable[[], Any],
    target: Path,
    form: Format,
    *,
    metadata: Metadata,
    origin: str | None = None,
    quality: int | None = None,
    force: bool = False,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Save a libvips image of 1 to 4 bands.

    Args:
        make: Returns the image, uint8, uint16 or float32 in [0, 1]; steps finer than the format's
            are rounded. Called in another thread.
        target: File to write.
        form: Its format.
        metadata: What the picture carries.
        origin: Model and version, such as ``photo-x4@1``.
        quality: 1 to 100, for JPEG, WebP and AVIF.
        force: Replace a file that exists.
        progress: Called with the share that is done, in [0, 1], from another thread.

    Raises:
        OutputError: libvips or the disk refuses; nothing is left behind.
    """
    vips = load_vips()
    begun: list[Any] = []

    def save(descriptor: int) -> None:
        image = _prepare(make(), form, metadata=metadata, origin=origin)
        image.set_progress(True)
        if progress:
            image.signal_connect("eval", lambda _, state: progress(state.percent / 100))
        begun.append(image)
        sink = vips.Target.new_to_descriptor(descriptor)
        options = _options(image, form, quality)
        vips.Operation.call(f"{form.nickname}save_target", image, sink, **options)
        if form.name == "gif" and origin:
            _add_gif_comment(descriptor, origin)

    def stop() -> None:
        for image in begun:
            image.set_kill(True)

    with replacing(target, force=force) as descriptor:
        try:
            interruptibly(partial(save, descriptor), on_interrupt=stop)
        except vips.Error as error:
            raise OutputError(
                f"{target}: cannot be written as {form.title} ({one_line(error)}); "
                "check free space, or choose another format"
            ) from None


def encode_image(
    make: Callable[[], Any],
    form: Format,
    *,
    metadata: Metadata,
    origin: str | None = None,
    quality: int | None = None,
) -> bytes:
    """Return the file that ``save_image`` would write.

    Raises:
        OutputError: libvips refuses.
    """

    def encode() -> bytes:
        image = _prepare(make(), form, metadata=metadata, origin=origin)
        data = _to_buffer(image, form, quality)
        return _with_gif_comment(data, origin) if form.name == "gif" and origin else data

    try:
        return interruptibly(encode)
    except load_vips().Error as error:
        raise OutputError(
            f"(bytes): cannot be written as {form.title} ({one_line(error)}); choose another format"
        ) from None


def _to_buffer(image: Any, form: Format, quality: int | None) -> bytes:
    options = _options(image, form, quality)
    data: bytes = load_vips().Operation.call(f"{form.nickname}save_buffer", image, **options)
    return data


def _prepare(image: Any, form: Format, *, metadata: Metadata, origin: str | None) -> Any:
    """Return the image in a dtype that the format stores, with all that it shall carry."""
    dtype = form.dtype_for(DTYPES[image.format])
    ready = _to_dtype(image, dtype).copy(interpretation=interpretation(image.bands, dtype))
    attach_metadata(ready, _storable(metadata, ready, form), origin)
    # libvips takes the resolution from an EXIF block as that is attached, so ours comes last.
    dpi = metadata.dpi or (_UNKNOWN_DPI, _UNKNOWN_DPI)
    return ready.copy(xres=dpi[0] / INCH, yres=dpi[1] / INCH)


def _storable(metadata: Metadata, image: Any, form: Format) -> Metadata:
    """Leave out what is damaged, so that no profile or EXIF block spoils a finished picture."""
    vips = load_vips()
    pixel = vips.Image.black(1, 1, bands=image.bands).cast(image.format)
    for field in ("icc", "exif", "xmp"):
        alone = replace(Metadata(), **{field: getattr(metadata, field)})
        if alone == Metadata():
            continue
        trial = pixel.copy(interpretation=image.interpretation)
        attach_metadata(trial, alone, None)
        try:
            _to_buffer(trial, form, None)
        except vips.Error:
            metadata = replace(metadata, **{field: None})
    return metadata


def _to_dtype(image: Any, dtype: str) -> Any:
    have = DTYPES[image.format]
    if have == dtype:
        return image
    steps = {"uint8": 255, "uint16": 65535}
    if have == "float32":
        return (image * steps[dtype] + 0.5).floor().cast("uchar" if dtype == "uint8" else "ushort")
    # 65535 / 255 = 257
    return ((image + 128) / 257).floor().cast("uchar")


def _options(image: Any, form: Format, quality: int | None) -> dict[str, Any]:
    lossy = quality or _QUALITY.get(form.name, 0)
    match form.name:
        case "jpeg":
            # Optimised tables would hold all coefficients in memory: 2.8 GB at 192 megapixels.
            return {"Q": lossy}
        case "webp":
            return {"Q": lossy}
        case "avif":
            deep = image.format != "uchar"
            return {"Q": lossy, "compression": "av1", "bitdepth": 12 if deep else 8}
        case "tiff":
            pixels = image.width * image.height * image.bands
            size = pixels * {"uchar": 1, "ushort": 2, "float": 4}[image.format]
            return {
                "compression": "deflate",
                "predictor": "float" if image.format == "float" else "horizontal",
                "bigtiff": size > _BIGTIFF_BYTES,
            }
        case _:
            return {}


def _with_gif_comment(data: bytes, origin: str) -> bytes:
    """Add a comment to a GIF file, which libvips writes none to, before its first picture."""
    text = describe_origin(origin).encode()[:255]
    comment = b"\x21\xfe" + bytes([len(text)]) + text + b"\0"
    flags = data[10]
    table = 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0
    start = 13 + table  # header, screen, global colours
    return data[:start] + comment + data[start:]


def _add_gif_comment(descriptor: int, origin: str) -> None:
    end = os.lseek(descriptor, 0, os.SEEK_END)
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "r+b") as file:
        data = file.read(end)
        file.seek(0)
        file.write(_with_gif_comment(data, origin))
