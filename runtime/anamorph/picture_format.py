"""The file formats of pictures: how to tell them apart, and what each can hold."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anamorph.errors import InputError, OutputError


@dataclass(frozen=True)
class Format:
    """What one file format can hold.

    Attributes:
        name: Lower-case name, as ``--format`` takes it.
        title: Name for people.
        suffixes: Lower-case suffixes with their dot; the first is written.
        nickname: libvips' name, to which ``load`` and ``save`` are added.
        max_side: Greatest width and height in pixels.
        dtypes: Element types that it keeps, the one with the finest steps last.
        alpha: Whether it has transparency.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    nickname: str
    max_side: int
    dtypes: tuple[str, ...] = ("uint8",)
    alpha: bool = True

    def dtype_for(self, dtype: str) -> str:
        """Return the element type in which pixels of ``dtype`` are stored."""
        return dtype if dtype in self.dtypes else self.dtypes[-1]


FORMATS: Final = {
    one.name: one
    for one in (
        Format("png", "PNG", (".png",), "png", 2**24, ("uint8", "uint16")),
        Format("jpeg", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), "jpeg", 65_500, alpha=False),
        Format("webp", "WebP", (".webp",), "webp", 16_383),
        Format("tiff", "TIFF", (".tif", ".tiff"), "tiff", 2**24, ("uint8", "uint16", "float32")),
        Format("avif", "AVIF", (".avif",), "heif", 16_384, ("uint8", "uint16")),
        Format("gif", "GIF", (".gif",), "gif", 65_535),
    )
}
SUFFIXES: Final = frozenset(suffix for form in FORMATS.values() for suffix in form.suffixes)
ACCEPTED: Final = "PNG, JPEG, WebP, TIFF, AVIF, GIF"
SIGNATURE_BYTES: Final = 64

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
)
_STRANGERS: Final = (
    (b"BM", "a BMP picture"),
    (b"8BPS", "a Photoshop document"),
    (b"%PDF", "a PDF document"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
)


def recognise(head: bytes, origin: str) -> Format:
    """Tell the format by a file's first bytes, never by its name.

    Args:
        head: The first ``SIGNATURE_BYTES`` bytes, or the whole file if it is shorter.
        origin: File that they come from, for messages.

    Raises:
        InputError: It is empty or in no accepted format.
    """
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return FORMATS[name]
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return FORMATS["webp"]
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"mif1"):
        return FORMATS["avif"]
    raise InputError(
        f"{origin}: {_describe(head)}, not an accepted picture; accepted are {ACCEPTED}"
    )


def _describe(head: bytes) -> str:
    if not head:
        return "an empty file (0 bytes)"
    for signature, what in _STRANGERS:
        if head.startswith(signature):
            return what
    if head[4:8] == b"ftyp":
        return "a HEIC picture" if head[8:12] in (b"heic", b"heix", b"hevc") else "a film"
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        # The cut after SIGNATURE_BYTES may fall inside a character.
        text = head[: error.start].decode() if error.start > SIGNATURE_BYTES - 4 else "\0"
    if all(letter.isprintable() or letter.isspace() for letter in text):
        return "an SVG drawing" if "<svg" in text else "a text file"
    return "in an unknown format"


def format_for(target: Path | None, name: str | None = None) -> Format:
    """Return the format to write: the named one, or else the one of the target's suffix.

    Raises:
        OutputError: Neither says a format that can be written.
    """
    if name is not None:
        if name.lower() not in FORMATS:
            raise OutputError(
                f"format {name!r} is unknown; choose one of {', '.join(sorted(FORMATS))}"
            )
        return FORMATS[name.lower()]
    suffix = target.suffix.lower() if target else ""
    for one in FORMATS.values():
        if suffix in one.suffixes:
            return one
    known = " ".join(suffix for one in FORMATS.values() for suffix in one.suffixes)
    what = f"the suffix {suffix!r} names no format" if suffix else "its name has no suffix"
    raise OutputError(f"{target}: {what} that can be written; use one of {known}")


def check_fits(target: str, form: Format, *, width: int, height: int, bands: int) -> None:
    """Refuse what a format cannot hold.

    Raises:
        OutputError: The picture is too large for the format, or would lose its transparency.
    """
    if max(width, height) > form.max_side:
        raise OutputError(
            f"{target}: {width} x {height} pixels exceed {form.title}'s limit of "
            f"{form.max_side} per side; write PNG or TIFF instead"
        )
    if bands in (2, 4) and not form.alpha:
        raise OutputError(
            f"{target}: the picture has transparency, which {form.title} cannot hold; "
            "write PNG, WebP, AVIF or TIFF instead"
        )


def check_quality(quality: int | None) -> None:
    """Refuse a quality outside 1 to 100.

    Raises:
        InputError: It is outside.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise InputError(f"quality {quality}: must be from 1 to 100")
