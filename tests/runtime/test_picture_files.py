"""Pictures through real files: what each format keeps."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image, ImageCms
from tests.runtime.sample_pictures import sample

from anamorph.errors import InputError, OutputError
from anamorph.picture import Picture
from anamorph.picture_metadata import SOURCE_TYPE, mark_synthetic

RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SUFFIXES = ("png", "jpg", "webp", "tif", "avif", "gif")
LOSSLESS = [("png", bands, dtype) for bands in (1, 2, 3, 4) for dtype in ("uint8", "uint16")] + [
    ("tif", bands, dtype) for bands in (1, 2, 3, 4) for dtype in ("uint8", "uint16", "float32")
]


@pytest.mark.parametrize(("suffix", "bands", "dtype"), LOSSLESS)
def test_lossless_formats_keep_every_value(
    tmp_path: Path, suffix: str, bands: int, dtype: str
) -> None:
    picture = Picture(sample(bands=bands, dtype=dtype))
    picture.save(tmp_path / f"a.{suffix}")
    again = Picture.open(tmp_path / f"a.{suffix}")
    assert again.pixels.dtype == picture.pixels.dtype
    np.testing.assert_array_equal(again.pixels, picture.pixels)


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif", "gif"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_lossy_formats_come_close(tmp_path: Path, suffix: str, bands: int, dtype: str) -> None:
    if suffix == "jpg" and bands in (2, 4):
        pytest.skip("JPEG has no alpha")
    smooth = np.linspace(0, 1, 64)[None, :, None] * np.ones((48, 1, bands))
    if bands in (2, 4):
        smooth[:, :, -1] = 1
        smooth[:8, :, -1] = 0
    greatest = 1 if dtype == "float32" else np.iinfo(dtype).max
    pixels = (smooth * greatest).astype(dtype)
    Picture(pixels).save(tmp_path / f"a.{suffix}")
    again = Picture.open(tmp_path / f"a.{suffix}")
    values = again.bands / (255 if again.pixels.dtype == np.uint8 else 65535)
    visible = slice(8, None)
    if bands < 3 and again.bands.shape[2] >= 3:  # WebP and GIF know no grey
        colours = values[visible, :, :3]
    else:
        colours = values[visible, :, : bands - 1 if bands in (2, 4) else bands]
    expected = smooth[visible, :, :1]
    assert np.abs(colours - expected).mean() < 0.02
    if bands in (2, 4):
        assert values[:6, :, -1].max() < 0.05
        assert values[10:, :, -1].min() > 0.95


def test_deep_avif_stays_deep_and_white_stays_white(tmp_path: Path) -> None:
    pixels = np.full((16, 16, 3), 65535, np.uint16)
    pixels[:8] = 30_000
    Picture(pixels).save(tmp_path / "a.avif", quality=100)
    again = Picture.open(tmp_path / "a.avif").pixels
    assert again.dtype == np.uint16
    assert again[-1].min() >= 65535 - 16  # one step of 12 bits
    assert abs(int(again[0, 0, 0]) - 30_000) <= 32


def test_rounding_to_fewer_bits_is_to_the_nearest(tmp_path: Path) -> None:
    deep = np.arange(0, 65536, 7, dtype=np.uint16).reshape(-1, 1)
    Picture(deep).save(tmp_path / "a.webp", quality=100)
    exact = pyvips.Image.new_from_buffer(Picture(deep).encode("gif"), "").numpy()
    assert exact.shape[:2] == deep.shape
    real = Picture((deep / 65535).astype(np.float32))
    back = Picture.open(real.encode("png")).pixels
    np.testing.assert_array_equal(back, deep)


def pillow_file(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_orientation_is_applied_and_reset(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = np.kron(sample(4, 6), np.ones((8, 8, 1), np.uint8))
    path = pillow_file(tmp_path / f"a.{suffix}", Image.fromarray(source), exif=exif)
    turned = {
        1: source,
        2: source[:, ::-1],
        3: source[::-1, ::-1],
        4: source[::-1],
        5: source.swapaxes(0, 1),
        6: np.rot90(source, -1),
        7: source[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(source),
    }[orientation]
    picture = Picture.open(path)
    assert picture.pixels.shape == turned.shape
    assert np.abs(picture.pixels.astype(int) - turned).mean() < 12
    picture.save(tmp_path / f"b.{suffix}")
    assert Image.open(tmp_path / f"b.{suffix}").getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "avif"])
def test_profile_resolution_and_xmp_survive(tmp_path: Path, suffix: str) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    picture = Picture(sample(), icc=RGB_PROFILE, dpi=(300, 150), xmp=xmp)
    picture.save(tmp_path / f"a.{suffix}")
    again = Picture.open(tmp_path / f"a.{suffix}")
    assert again.icc == RGB_PROFILE
    assert again.dpi == pytest.approx((300, 150), rel=1e-4)
    assert again.xmp == xmp


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "avif"])
def test_exif_survives_and_the_given_resolution_wins(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x011A] = exif[0x011B] = 72.0
    exif.get_ifd(0x8769)[0x9003] = "2020:01:02 03:04:05"
    path = pillow_file(tmp_path / f"a.{suffix}", Image.fromarray(sample()), exif=exif)
    picture = Picture.open(path)
    other = Picture(picture.pixels, exif=picture.exif, dpi=300)
    other.save(tmp_path / f"b.{suffix}")
    again = Image.open(tmp_path / f"b.{suffix}").getexif()
    assert again[0x010F] == "Maker"
    assert again.get_ifd(0x8769)[0x9003] == "2020:01:02 03:04:05"
    assert again[0x011A] == 300


@pytest.mark.parametrize("form", ["png", "jpeg", "webp", "tiff", "avif", "gif"])
def test_no_resolution_is_not_taken_for_one(form: str) -> None:
    data = io.BytesIO()
    Image.fromarray(sample()).save(data, form)
    assert Picture.open(data.getvalue()).dpi is None


@pytest.mark.parametrize("form", ["png", "jpeg", "tiff"])
@pytest.mark.parametrize("dpi", [72, 96, 300, 1200])
def test_a_resolution_by_another_program_is_read_exactly(form: str, dpi: int) -> None:
    data = io.BytesIO()
    Image.fromarray(sample()).save(data, form, dpi=(dpi, dpi))
    assert Picture.open(data.getvalue()).dpi == (dpi, dpi)


def test_resolution_per_centimetre(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", sample(), resolution=(100, 100), resolutionunit="CENTIMETER"
    )
    assert Picture.open(tmp_path / "a.tif").dpi == pytest.approx((254, 254))


def test_a_profile_for_other_channels_is_left_out(tmp_path: Path) -> None:
    grey = Image.fromarray(sample(bands=1)[:, :, 0])
    path = pillow_file(tmp_path / "a.tif", grey, icc_profile=RGB_PROFILE)
    assert Picture.open(path).icc is None
    Picture(sample(bands=1), icc=RGB_PROFILE).save(tmp_path / "b.png")
    assert Picture.open(tmp_path / "b.png").icc is None


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_becomes_srgb(tmp_path: Path, suffix: str) -> None:
    cmyk = np.zeros((16, 16, 4), np.uint8)
    cmyk[:, 8:] = (0, 255, 255, 0)
    path = pillow_file(tmp_path / f"a.{suffix}", Image.fromarray(cmyk, "CMYK"))
    picture = Picture.open(path)
    assert picture.mode == "RGB"
    assert picture.icc is None
    assert picture.pixels[4, 2].min() > 240
    red, green, blue = picture.pixels[4, 13].astype(int)
    assert red > 180
    assert max(green, blue) < 80


def test_lab_becomes_srgb(tmp_path: Path) -> None:
    pyvips.Image.black(8, 8, bands=3).copy(interpretation="lab").linear(1, [60.0, 0, 0]).cast(
        "float"
    ).copy(interpretation="lab").tiffsave(str(tmp_path / "a.tif"))
    picture = Picture.open(tmp_path / "a.tif")
    assert picture.mode == "RGB"
    assert np.ptp(picture.pixels[0, 0].astype(int)) < 3 * 257


@pytest.mark.parametrize("suffix", ["png", "gif", "tif"])
def test_palettes_and_single_bits_are_expanded(tmp_path: Path, suffix: str) -> None:
    source = np.kron(np.array([[0, 255], [255, 0]], np.uint8), np.ones((8, 8), np.uint8))
    path = pillow_file(tmp_path / f"a.{suffix}", Image.fromarray(source).convert("1"))
    assert set(np.unique(Picture.open(path).bands[:, :, 0])) == {0, 255}
    palette = Image.fromarray(np.dstack([source, 255 - source, source])).convert(
        "P", palette=Image.Palette.ADAPTIVE
    )
    path = pillow_file(tmp_path / f"b.{suffix}", palette)
    picture = Picture.open(path)
    assert picture.mode == "RGB"
    np.testing.assert_array_equal(picture.pixels, np.asarray(palette.convert("RGB")))


def test_float_tiff_keeps_its_values(tmp_path: Path) -> None:
    values = sample(dtype="float32")
    tifffile.imwrite(tmp_path / "a.tif", values)
    picture = Picture.open(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.pixels, values)


def test_bytes_open_as_files_do(tmp_path: Path) -> None:
    Picture(sample()).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    np.testing.assert_array_equal(Picture.open(data).pixels, sample())


@pytest.mark.parametrize("name", ["photo[1].png", "with space.PNG", "ümlaut.png", "a%20b.png"])
def test_names_are_taken_literally(tmp_path: Path, name: str) -> None:
    Picture(sample()).save(tmp_path / name)
    np.testing.assert_array_equal(Picture.open(tmp_path / name).pixels, sample())


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    Picture(sample()).save(path)
    np.testing.assert_array_equal(Picture.open(path).pixels, sample())


def origin_texts(path: Path) -> str:
    """Return all that a stranger's reader finds in a file about its origin."""
    image = Image.open(path)
    image.load()
    exif = image.getexif()
    comment = image.info.get("comment", b"")
    return " ".join(
        str(text)
        for text in (
            exif.get(0x010E),
            exif.get(0x0131),
            image.info.get("Comment"),
            image.info.get("Software"),
            comment.decode() if isinstance(comment, bytes) else comment,
        )
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_say_what_made_them(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Picture(sample(), origin="photo-x4@3").save(path)
    assert "photo-x4@3" in origin_texts(path)
    assert "Synthetic" in origin_texts(path)
    assert "Anamorph" in origin_texts(path)
    if suffix != "gif":
        assert SOURCE_TYPE.encode() in (Picture.open(path).xmp or b"")
    form = {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix)
    encoded = Picture(sample(), origin="photo-x4@3").encode(form)
    assert encoded == path.read_bytes()


def test_a_picture_of_no_model_says_nothing(tmp_path: Path) -> None:
    Picture(sample()).save(tmp_path / "a.png")
    assert "Synthetic" not in origin_texts(tmp_path / "a.png")


def test_xmp_keeps_all_but_what_contradicts() -> None:
    given = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:i="urn:i" tiff:Orientation="6" '
        b'i:DigitalSourceType="digitalCapture" dc:format="image/jpeg"/></rdf:RDF></x:xmpmeta>'
    )
    marked = mark_synthetic(given)
    assert b'dc:format="image/jpeg"' in marked
    assert b"digitalCapture" not in marked
    assert b'tiff:Orientation="1"' in marked
    assert marked.count(b"DigitalSourceType=") == 1
    assert mark_synthetic(marked).count(b"DigitalSourceType=") == 1


@pytest.mark.parametrize(
    "damaged",
    [b"", b"\xff\xfe garbage", b"<a></rdf:RDF>", b"<!DOCTYPE x></rdf:RDF>", b"x" * 70_000],
)
def test_damaged_xmp_is_replaced(damaged: bytes) -> None:
    assert SOURCE_TYPE.encode() in mark_synthetic(damaged)
    assert len(mark_synthetic(damaged)) < 2000


def test_an_existing_file_is_replaced_by_force_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"exists already.*--force"):
        Picture(sample()).save(path)
    assert path.read_bytes() == b"precious"
    Picture(sample()).save(path, force=True)
    assert Picture.open(path).width == 30
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.bmp", r"'\.bmp' names no format.*\.png"),
        ("a", "no suffix"),
        ("missing/a.png", "folder does not exist"),
        ("folder.png", "is a folder"),
    ],
)
def test_targets_that_cannot_be_written(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match=message) as caught:
        Picture(sample()).save(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.png"]


@pytest.mark.parametrize(
    ("suffix", "width", "limit"),
    [("webp", 16384, 16383), ("jpg", 65501, 65500), ("gif", 65536, 65535), ("avif", 16385, 16384)],
)
def test_limits_of_formats(tmp_path: Path, suffix: str, width: int, limit: int) -> None:
    with pytest.raises(OutputError, match=rf"{width} x 1 .*{limit}.*PNG or TIFF"):
        Picture(np.zeros((1, width), np.uint8)).save(tmp_path / f"a.{suffix}")
    assert list(tmp_path.iterdir()) == []
    Picture(np.zeros((1, limit), np.uint8)).save(tmp_path / f"a.{suffix}")


def test_jpeg_refuses_transparency(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"transparency.*JPEG.*PNG, WebP, AVIF or TIFF"):
        Picture(sample(bands=4)).save(tmp_path / "a.jpg")


def test_quality_is_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="quality 101"):
        Picture(sample()).save(tmp_path / "a.jpg", quality=101)


@pytest.mark.skipif(sys.platform == "win32", reason="TMPDIR is not what is asked there")
def test_a_temporary_folder_that_cannot_be_used_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in (2000, 2400):  # 12 MB and 17 MB decoded: only the second waits on disk
        pyvips.Image.black(side, side, bands=3).copy(interpretation="srgb").pngsave(
            str(tmp_path / f"{side}.png")
        )
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    assert Picture.open(tmp_path / "2000.png").pixels.shape == (2000, 2000, 3)
    with pytest.raises(OutputError, match=r"2400\.png: .*temporary folder.*name another.*TMPDIR"):
        Picture.open(tmp_path / "2400.png")


FULL = """
import resource
import sys
from anamorph.errors import OutputError
from anamorph.picture import Picture

resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
try:
    Picture.open(sys.argv[1])
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_full_temporary_folder_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    pyvips.Image.black(2400, 2400, bands=3).copy(interpretation="srgb").pngsave(str(path))
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True
    )
    assert "large.png: its decoded pixels do not go into the temporary folder" in done.stdout
