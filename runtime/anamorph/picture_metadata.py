"""What a picture carries beside its pixels: profile, resolution, EXIF, XMP, and its origin."""

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final
from xml.etree import ElementTree

INCH: Final = 25.4  # mm

# https://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced
SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
_IPTC: Final = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_PACKET: Final = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    "</rdf:RDF></x:xmpmeta>"
    '<?xpacket end="w"?>'
)
# JPEG keeps XMP in one segment of 64 KiB; libvips drops what does not fit.
_MAX_XMP: Final = 60_000


@dataclass(frozen=True)
class Metadata:
    """What a picture carries beside its pixels.

    Attributes:
        icc: Colour profile.
        dpi: Horizontal and vertical resolution in pixels per inch.
        exif: EXIF block with its ``Exif`` prefix; the orientation in it is already applied.
        xmp: XMP packet in UTF-8.
    """

    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None


def read_metadata(image: Any, *, keep_profile: bool = True) -> Metadata:
    """Collect what a freshly opened libvips image carries."""
    icc = _blob(image, "icc-profile-data") if keep_profile else None
    if icc is not None and not profile_fits(icc, image.bands):
        icc = None
    return Metadata(
        icc=icc,
        dpi=_resolution(image),
        exif=_blob(image, "exif-data"),
        xmp=_blob(image, "xmp-data"),
    )


def profile_fits(icc: bytes, bands: int) -> bool:
    """Say whether a profile is for grey or for RGB as the number of bands (1 to 4) has it.

    A profile for the other kind means nothing there, and PNG readers reject it.
    """
    return icc[16:20] == (b"GRAY" if bands < 3 else b"RGB ")


def _blob(image: Any, field: str) -> bytes | None:
    return bytes(image.get(field)) or None if image.get_typeof(field) else None


def _resolution(image: Any) -> tuple[float, float] | None:
    per_mm: tuple[float, ...] = (image.xres, image.yres)
    if _is_filler(image):
        # For WebP and AVIF libvips does not look into EXIF.
        exif = tuple(_exif_number(image, f"exif-ifd0-{axis}Resolution") for axis in "XY")
        inches = not image.get_typeof("exif-ifd0-ResolutionUnit") or not image.get(
            "exif-ifd0-ResolutionUnit"
        ).startswith("3")
        per_mm = tuple(number / (INCH if inches else 10) for number in exif)
    if min(per_mm) <= 0 or max(abs(number - 1) for number in per_mm) < 1e-6:
        return None
    horizontal, vertical = (_rounded(number * INCH) for number in per_mm)
    return horizontal, vertical


def _is_filler(image: Any) -> bool:
    """Say whether the resolution is what libvips' loaders make up where a file has none."""
    if image.xres != image.yres:
        return False
    made_up = image.xres in (1.0, 2.834)  # PNG: 72 dots per inch, cut short
    return made_up or (
        image.get("vips-loader").startswith("jpeg") and not image.get_typeof("resolution-unit")
    )


def _rounded(dpi: float) -> float:
    # PNG counts whole pixels per metre, so that 300 comes as 299.9994 and 72 as 72.009.
    return round(dpi) if abs(dpi - round(dpi)) < 0.013 else round(dpi, 3)


def _exif_number(image: Any, field: str) -> float:
    if not image.get_typeof(field):
        return 0.0
    found = re.match(r"(\d+)/(\d+)", image.get(field))
    return int(found[1]) / int(found[2]) if found and int(found[2]) else 0.0


def attach_metadata(image: Any, metadata: Metadata, origin: str | None) -> None:
    """Write metadata, and that the content is synthetic, into the fields that savers look at.

    Args:
        image: libvips image that nobody else holds; changed in place.
        metadata: What the picture carries.
        origin: Model and version, such as ``photo-x4@1``; None for a picture from no model.
    """
    from pyvips import GValue

    fields: dict[str, bytes | None] = {
        "icc-profile-data": metadata.icc if _is_usable(metadata.icc, image.bands) else None,
        "exif-data": metadata.exif,
        "xmp-data": mark_synthetic(metadata.xmp) if origin else metadata.xmp,
    }
    for field, blob in fields.items():
        if blob:
            image.set_type(GValue.blob_type, field, blob)
    image.set_type(GValue.gint_type, "orientation", 1)
    image.set_type(GValue.gstr_type, "resolution-unit", "in")
    if origin:
        for field, text in {
            "exif-ifd0-Software": software(),
            "exif-ifd0-ImageDescription": describe_origin(origin),
            "image-description": describe_origin(origin),  # TIFF
            "png-comment-0-Software": software(),
            "png-comment-1-Comment": describe_origin(origin),
        }.items():
            image.set_type(GValue.gstr_type, field, text)


def _is_usable(icc: bytes | None, bands: int) -> bool:
    return icc is not None and profile_fits(icc, bands)


def software() -> str:
    """Return the name and version of this program, as files carry it."""
    try:
        return f"Anamorph {version('anamorph')}"
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "Anamorph"


def describe_origin(origin: str) -> str:
    """Return the sentence that tells a reader of the file where its content comes from."""
    return f"Synthetic content: upscaled by Anamorph with the model {origin}"


def mark_synthetic(xmp: bytes | None) -> bytes:
    """Return an XMP packet that says that an algorithm enhanced the picture.

    A given packet keeps all else; one that is damaged or too large is replaced.
    """
    text = (xmp or b"").decode("utf-8", "replace").strip("\0 \r\n\t")
    if not _is_packet(text):
        text = _PACKET
    # An older statement about the source, or a turn that is now applied, would contradict ours.
    text = re.sub(
        r"<(\w+):DigitalSourceType\b[^>]*?(/>|>.*?</\1:DigitalSourceType\s*>)", "", text, flags=re.S
    )
    text = re.sub(r"\s[\w]+:DigitalSourceType\s*=\s*(\"[^\"]*\"|'[^']*')", "", text)
    text = re.sub(r"(\stiff:Orientation\s*=\s*[\"'])\d", r"\g<1>1", text)
    text = re.sub(r"(<tiff:Orientation>)\d", r"\g<1>1", text)
    start = text.rindex("</rdf:RDF")
    statement = (
        '<rdf:Description rdf:about="" '
        f'xmlns:Iptc4xmpExt="{_IPTC}" Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>'
    )
    return (text[:start] + statement + text[start:]).encode()


def _is_packet(text: str) -> bool:
    if "</rdf:RDF" not in text or len(text.encode()) > _MAX_XMP or "<!DOCTYPE" in text:
        return False
    try:
        ElementTree.fromstring(re.sub(r"<\?xpacket.*?\?>", "", text, flags=re.S))  # noqa: S314
    except ElementTree.ParseError:
        return False
    return True
