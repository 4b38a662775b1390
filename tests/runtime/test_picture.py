"""The value `Picture`: what it accepts, and how it goes to and from Pillow."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image, ImageCms
from tests.runtime.sample_pictures import sample

from anamorph.errors import InputError, OutputError
from anamorph.picture import Picture

RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_arrays_of_every_mode_are_taken(bands: int, dtype: str) -> None:
    given = sample(5, 7, bands, dtype)
    picture = Picture(given)
    assert (picture.width, picture.height) == (7, 5)
    assert picture.mode == ("grey", "grey+alpha", "RGB", "RGB+alpha")[bands - 1]
    np.testing.assert_array_equal(picture.bands, given)
    assert picture.pixels.ndim == (2 if bands == 1 else 3)


def test_nothing_of_a_picture_can_be_changed() -> None:
    given = sample()
    picture = Picture(given)
    before = picture.pixels.copy()
    given[:] = 7
    np.testing.assert_array_equal(picture.pixels, before)
    with pytest.raises(ValueError, match="read-only"):
        picture.pixels[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        picture.icc = b""  # type: ignore[misc]


def test_float64_becomes_float32() -> None:
    assert Picture(np.full((2, 2), 0.5)).pixels.dtype == np.float32


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5, np.uint8), r"shape \(5,\).*channels last"),
        (np.zeros((3, 9, 9), np.uint8), r"shape \(3, 9, 9\).*channels last"),
        (np.zeros((4, 4, 5), np.uint8), "shape"),
        (np.zeros((0, 4), np.uint8), "no pixels"),
        (np.zeros((4, 4), np.int32), "int32.*uint8"),
        (np.zeros((4, 4), bool), r"bool.*astype"),
        (np.full((4, 4), 1.5), r"1\.5 among its floats.*0 to 1"),
        (np.full((4, 4), -0.1), "among its floats"),
        (np.array([[0.5, np.nan]]), "NaN"),
        (np.array([[0.5, np.inf]], np.float32), "infinity"),
    ],
)
def test_other_arrays_are_refused_with_the_cure(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Picture(array)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dpi", [0, -1, (300, 0), (1, 2, 3)])
def test_a_resolution_must_be_positive(dpi: float) -> None:
    with pytest.raises(InputError, match="dpi"):
        Picture(sample(), dpi=dpi)


def test_what_is_no_array_is_refused() -> None:
    with pytest.raises(InputError, match="list"):
        Picture([[1, 2]])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("1", "grey"),
        ("L", "grey"),
        ("LA", "grey+alpha"),
        ("P", "RGB"),
        ("RGB", "RGB"),
        ("RGBA", "RGB+alpha"),
        ("CMYK", "RGB"),
        ("YCbCr", "RGB"),
    ],
)
def test_pillow_images_of_8_bit_modes(mode: str, expected: str) -> None:
    image = Image.fromarray(sample()).convert(mode)
    picture = Picture.from_pillow(image)
    assert picture.mode == expected
    assert picture.pixels.dtype == np.uint8
    target = {"grey": "L", "grey+alpha": "LA", "RGB": "RGB", "RGB+alpha": "RGBA"}[expected]
    np.testing.assert_array_equal(picture.pixels, np.asarray(image.convert(target)))


def test_pillow_images_of_16_bits_and_floats() -> None:
    deep = sample(bands=1, dtype="uint16")[:, :, 0]
    np.testing.assert_array_equal(Picture.from_pillow(Image.fromarray(deep)).pixels, deep)
    real = sample(bands=1, dtype="float32")[:, :, 0]
    np.testing.assert_array_equal(Picture.from_pillow(Image.fromarray(real)).pixels, real)
    swapped = Image.frombytes("I;16B", (30, 24), deep.astype(">u2").tobytes())
    np.testing.assert_array_equal(Picture.from_pillow(swapped).pixels, deep)


def test_a_pillow_palette_with_transparency_keeps_it() -> None:
    image = Image.fromarray(sample(bands=1)[:, :, 0]).convert("P")
    image.info["transparency"] = 0
    picture = Picture.from_pillow(image)
    assert picture.mode == "RGB+alpha"
    assert picture.pixels[0, 0, 3] == 0


def test_pillow_orientation_profile_and_resolution_come_along() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    Image.fromarray(sample()).save(file, "png", exif=exif, icc_profile=RGB_PROFILE, dpi=(300, 300))
    picture = Picture.from_pillow(Image.open(file))
    np.testing.assert_array_equal(picture.pixels, np.rot90(sample(), -1))
    assert picture.icc == RGB_PROFILE
    assert picture.dpi == pytest.approx((300, 300), abs=0.01)
    assert picture.exif
    again = Image.open(io.BytesIO(picture.encode("jpeg")))
    assert again.getexif()[0x010F] == "Maker"
    assert again.getexif()[0x0112] == 1


def test_pillow_images_of_other_modes_and_animations_are_refused() -> None:
    with pytest.raises(InputError, match=r"mode I\b.*convert"):
        Picture.from_pillow(Image.new("I", (3, 3)))
    file = io.BytesIO()
    frames = [Image.fromarray(sample(seed=seed)) for seed in range(3)]
    frames[0].save(file, "gif", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="3 frames"):
        Picture.from_pillow(Image.open(file))


@pytest.mark.parametrize(
    ("bands", "dtype", "mode"),
    [
        (1, "uint8", "L"),
        (2, "uint8", "LA"),
        (3, "uint8", "RGB"),
        (4, "uint8", "RGBA"),
        (1, "uint16", "I;16"),
        (3, "uint16", "RGB"),
        (3, "float32", "RGB"),
    ],
)
def test_to_pillow(bands: int, dtype: str, mode: str) -> None:
    image = Picture(sample(bands=bands, dtype=dtype), icc=RGB_PROFILE, dpi=300).to_pillow()
    assert image.mode == mode
    assert image.info["icc_profile"] == RGB_PROFILE
    if mode in ("L", "LA", "RGB", "RGBA"):
        difference = np.asarray(image).astype(int) - sample(bands=bands).reshape(
            np.asarray(image).shape
        )
        assert np.abs(difference).max() <= 1


def test_encode_knows_its_formats() -> None:
    with pytest.raises(OutputError, match=r"'bmp' is unknown.*avif"):
        Picture(sample()).encode("bmp")
    with pytest.raises(InputError, match="quality 0: must be from 1 to 100"):
        Picture(sample()).encode("jpeg", quality=0)


def test_quality_changes_the_size() -> None:
    picture = Picture(sample(200, 200))
    for form in ("jpeg", "webp", "avif"):
        assert len(picture.encode(form, quality=20)) < len(picture.encode(form, quality=95))


def test_repr_says_size_and_mode_and_no_pixels() -> None:
    assert repr(Picture(sample())) == "Picture(30 x 24, RGB, uint8)"
