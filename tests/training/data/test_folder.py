"""Folders of pictures."""

from pathlib import Path

import numpy as np
import pytest

from anamorph.errors import InputError
from anamorph.picture import Picture
from anamorph_training.data.folder import decode, find_pictures, folder_digest, to_rgb8


def test_finds_pictures_in_sub_folders_in_a_stable_order(photos: Path) -> None:
    (photos / "sub").mkdir()
    (photos / "0.png").rename(photos / "sub" / "Z.PNG")
    (photos / "notes.txt").write_text("no picture")
    (photos / ".hidden.png").write_text("no picture")
    names = [path.relative_to(photos).as_posix() for path in find_pictures(photos)]
    assert names == ["1.png", "2.png", "3.png", "4.png", "5.png", "sub/Z.PNG"]


def test_an_empty_and_an_absent_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        find_pictures(tmp_path / "absent")
    with pytest.raises(InputError, match="holds no pictures"):
        find_pictures(tmp_path)


def test_decodes_every_kind_to_8_bit_rgb(tmp_path: Path) -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    Picture(grey).save(tmp_path / "grey.png")
    Picture(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Picture(grey.astype(np.float32) / 255).save(tmp_path / "float.tiff")
    for name in ("grey.png", "deep.png", "float.tiff"):
        pixels = decode(tmp_path / name)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, np.repeat(grey[..., None], 3, axis=2))


def test_what_is_transparent_lies_over_white() -> None:
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0, 3] = 255
    shown = to_rgb8(Picture(pixels))
    np.testing.assert_array_equal(shown[..., 0], [[0, 255], [255, 255]])


def test_a_damaged_picture_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("not a picture")
    with pytest.raises(InputError, match=r"bad\.png"):
        decode(tmp_path / "bad.png")


def test_the_digest_follows_content_and_names_but_not_place(photos: Path) -> None:
    first = folder_digest(photos, find_pictures(photos))
    moved = photos.with_name("moved")
    photos.rename(moved)
    files = find_pictures(moved)
    assert folder_digest(moved, files[::-1]) == first
    files[0].write_bytes(files[1].read_bytes())
    assert folder_digest(moved, files) != first
