"""Hostile pictures: each is one clear line, and nothing is written."""

import contextlib
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image
from tests.runtime.sample_pictures import NearestSession, sample

from anamorph.errors import InputError
from anamorph.picture import Picture
from anamorph.upscaler import Upscaler
from anamorph.vips import load_vips

CURES = ("accepted are", "get a whole copy", "check the path", "give a", "so ", "raise it")
SUFFIXES = ("png", "jpg", "webp", "tif", "avif", "gif")


def refused(path: Path, *words: str) -> None:
    """Assert that a file is refused in one line that names it, with nothing written."""
    folder = path.parent / "out"
    folder.mkdir(exist_ok=True)
    with pytest.raises(InputError) as caught:
        Upscaler(NearestSession()).upscale_file(path, folder / "b.png")
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for word in words:
        assert word in message
    assert any(cure in message for cure in CURES)
    assert list(folder.iterdir()) == []
    with pytest.raises(InputError):
        Picture.open(path)


def encoded(suffix: str, *, smooth: bool = False) -> bytes:
    pixels = sample(96, 120, seed=3)
    if smooth:
        pixels[:] = 100
    return Picture(pixels).encode({"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9, 0.99])
def test_truncated_files(tmp_path: Path, suffix: str, share: float) -> None:
    data = encoded(suffix)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(data[: int(len(data) * share)])
    refused(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cut_that_is_let_pass_lost_no_pixel(suffix: str) -> None:
    data = encoded(suffix)
    whole = Picture.open(data).pixels
    for lost in range(1, 60):
        try:
            cut = Picture.open(data[:-lost])
        except InputError:
            continue
        np.testing.assert_array_equal(cut.pixels, whole)
        assert suffix in ("png", "gif")  # the end marker alone is gone


@pytest.mark.parametrize(
    ("suffix", "share"),
    # WebP has no checksum, and the one of a TIFF strip comes after its last row, so that only
    # damage to the tables near the beginning shows there.
    [("png", 0.5), ("jpg", 0.5), ("avif", 0.5), ("gif", 0.5), ("tif", 0.02), ("webp", 0.004)],
)
def test_corrupt_files(tmp_path: Path, suffix: str, share: float) -> None:
    data = bytearray(encoded(suffix))
    start = int(len(data) * share)
    data[start : start + 400] = np.random.default_rng(5).bytes(400)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(data)
    refused(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_headers_full_of_garbage(tmp_path: Path, suffix: str) -> None:
    data = encoded(suffix)
    rng = np.random.default_rng(6)
    path = tmp_path / f"a.{suffix}"
    kept = 16 if suffix == "avif" else 12
    path.write_bytes(data[:kept] + rng.bytes(2000))
    refused(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_flipped_bits_end_in_an_error_or_a_picture(suffix: str) -> None:
    data = encoded(suffix)
    rng = np.random.default_rng(7)
    for _ in range(40):
        flipped = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            flipped[place] ^= 1 << int(rng.integers(8))
        with contextlib.suppress(InputError):
            assert Picture.open(bytes(flipped), max_pixels=2**22).pixels.size


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", b"", ("empty file (0 bytes)", "accepted are PNG, JPEG")),
        ("a.png", b"Dear diary,\n", ("a text file", "accepted are")),
        ("a.jpg", "Grüße, hübsches Bild: ".encode() * 9, ("a text file",)),
        ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>" + b" " * 60, ("an SVG drawing",)),
        ("a.tif", b"%PDF-1.7\n" + b"x" * 100, ("a PDF document",)),
        ("a.png", b"BM" + bytes(100), ("a BMP picture",)),
        ("a.png", bytes(4) + b"ftypheic" + bytes(100), ("a HEIC picture",)),
        ("a.png", bytes(4) + b"ftypisom" + bytes(100), ("a film",)),
        ("a.png", b"\0\1\2\3" * 50, ("in an unknown format",)),
        ("a.png", b"\x89PNG\r\n\x1a\n", ("PNG",)),
        ("a.gif", b"GIF89a", ("GIF",)),
    ],
)
def test_what_is_no_picture(
    tmp_path: Path, name: str, content: bytes, words: tuple[str, ...]
) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, *words)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    refused(tmp_path / "none.png", "no such file")
    (tmp_path / "folder.png").mkdir()
    refused(tmp_path / "folder.png", "not a regular file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        refused(tmp_path / "pipe.png", "not a regular file")


def test_a_path_with_a_null_byte() -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Picture.open("a\0.png")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded("png"))
    path.chmod(0)
    refused(path, "Permission denied")


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def test_a_decompression_bomb(tmp_path: Path) -> None:
    side = 60_000
    row = zlib.compressobj(9)
    packed = b"".join(row.compress(bytes(side * 3 + 1)) for _ in range(200)) + row.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )
    refused(tmp_path / "bomb.png", "60000 x 60000", "268.4 megapixels", "--max-megapixels")


def test_huge_dimensions_in_other_headers(tmp_path: Path) -> None:
    jpeg = bytearray(encoded("jpg"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    (tmp_path / "a.jpg").write_bytes(jpeg)
    refused(tmp_path / "a.jpg", "65000 x 65000")
    tiff = bytearray(encoded("tif"))
    for tag in (256, 257):  # width and height, as 16-bit numbers
        at = tiff.index(struct.pack("<HHI", tag, 3, 1))
        tiff[at + 8 : at + 10] = struct.pack("<H", 60_000)
    (tmp_path / "a.tif").write_bytes(tiff)
    refused(tmp_path / "a.tif", "60000 x 60000")


def test_the_limit_on_pixels_can_be_moved(tmp_path: Path) -> None:
    data = encoded("png")
    assert Picture.open(data, max_pixels=96 * 120).width == 120
    with pytest.raises(InputError, match="120 x 96 pixels exceed"):
        Picture.open(data, max_pixels=96 * 120 - 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -0.5, 1.5])
def test_floats_that_are_no_colours(tmp_path: Path, bad: float) -> None:
    values = sample(300, 20, dtype="float32")
    values[250, 3, 1] = bad
    tifffile.imwrite(tmp_path / "a.tif", values)
    word = "NaN or infinity" if not np.isfinite(bad) else "accepted are values from 0 to 1"
    refused(tmp_path / "a.tif", word)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((8, 8, 3), np.uint32), ()),
        (np.zeros((8, 8, 3), np.int16), ()),
        (np.zeros((8, 8), np.complex64), ()),
        (np.zeros((8, 8, 7), np.uint8), ("7 channels",)),
    ],
)
def test_tiff_files_with_other_values(
    tmp_path: Path, values: np.ndarray, words: tuple[str, ...]
) -> None:
    planes = "contig" if values.ndim == 3 else None
    tifffile.imwrite(tmp_path / "a.tif", values, planarconfig=planes, photometric="minisblack")
    refused(tmp_path / "a.tif", *words)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif", "avif"])
def test_animations_and_pages(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    frames = [Image.fromarray(sample(seed=seed)) for seed in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    refused(path, "animated or of several pages", "image sequence" if suffix == "avif" else "3 ")


def test_a_still_picture_saved_as_an_animation_of_one() -> None:
    file = io.BytesIO()
    Image.fromarray(sample()).save(file, "png", save_all=True)
    assert Picture.open(file.getvalue()).width == 30


def test_harmless_warnings_do_not_stop_a_picture(tmp_path: Path) -> None:
    jpeg = encoded("jpg")
    assert Picture.open(jpeg[:-2] + bytes(5) + jpeg[-2:]).width == 120
    assert Picture.open(jpeg + b"trailing").width == 120
    tifffile.imwrite(tmp_path / "a.tif", sample(), extratags=[(60_001, "s", 0, "what", True)])
    assert Picture.open(tmp_path / "a.tif").width == 30


@pytest.mark.parametrize("out", ["png", "jpeg", "webp", "tiff", "avif", "gif"])
@pytest.mark.parametrize("source", ["png", "jpeg", "webp"])
def test_damaged_metadata_does_not_spoil_a_finished_picture(source: str, out: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    block = exif.tobytes()
    profile = bytearray(3000)
    profile[16:20] = b"RGB "
    for damaged in (block[:9], block[:14], block[:10] + bytes(range(256))):
        file = io.BytesIO()
        options = {"exif": damaged, "icc_profile": bytes(profile)}
        Image.fromarray(sample()).save(file, source, **options)
        result = Upscaler(NearestSession()).upscale(file.getvalue())
        assert Picture.open(result.encode(out)).width == 60


def test_only_trusted_loaders_run(tmp_path: Path) -> None:
    load_vips()
    (tmp_path / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "a.ppm").write_bytes(b"P6\n1 1\n255\nabc")
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    for name in ("a.svg", "a.ppm", "a.csv"):
        with pytest.raises(pyvips.Error):
            pyvips.Image.new_from_file(str(tmp_path / name))
