"""Bicubic resizing: identities, and the given LR images bit for bit."""

import os
from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import smooth_picture

from anamorph_training.data.folder import decode
from anamorph_training.degradation import CUBIC, LANCZOS3, Kernel, cubic, imresize, shrink, to_uint8


def test_cubic_interpolates_and_sums_to_one() -> None:
    np.testing.assert_allclose(cubic(np.array([0.0, 1.0, 2.0, 3.0])), [1, 0, 0, 0], atol=1e-12)
    for offset in (0.0, 0.25, 0.7):
        assert cubic(np.linspace(-3.0, 3.0, 7) + offset).sum() == pytest.approx(1)


@pytest.mark.parametrize("kernel", [CUBIC, LANCZOS3])
@pytest.mark.parametrize("factor", [0.25, 1 / 3, 0.5, 1, 2, 3, 4])
def test_flat_pictures_stay_flat(kernel: Kernel, factor: float) -> None:
    resized = imresize(np.full((24, 36, 3), 0.3), factor, kernel)
    assert resized.shape == (round(24 * factor), round(36 * factor), 3)
    np.testing.assert_allclose(resized, 0.3)


def test_ramps_stay_ramps_away_from_the_edges() -> None:
    ramp = np.tile(np.arange(64.0), (64, 1))
    small = imresize(ramp, 0.5)
    np.testing.assert_allclose(small[:, 4:-4], np.tile(np.arange(32) * 2 + 0.5, (32, 1))[:, 4:-4])


def test_factor_one_changes_nothing() -> None:
    picture = smooth_picture(0, 9, 13)
    np.testing.assert_array_equal(imresize(picture, 1), picture)


def test_turning_commutes_with_shrinking_floats() -> None:
    picture = smooth_picture(1, 24, 36) / 255
    np.testing.assert_allclose(imresize(picture[::-1], 0.25), imresize(picture, 0.25)[::-1])
    np.testing.assert_allclose(
        imresize(picture.swapaxes(0, 1), 0.25), imresize(picture, 0.25).swapaxes(0, 1)
    )


def test_shrinking_removes_what_would_alias() -> None:
    stripes = np.tile([0.0, 1.0], (32, 16))
    assert np.ptp(imresize(stripes, 0.25)[:, 2:-2]) < 0.01


def test_rounds_half_up_and_clips() -> None:
    np.testing.assert_array_equal(
        to_uint8(np.array([-1.0, 0.5, 1.5, 254.6, 300])), [0, 1, 2, 255, 255]
    )


def test_one_pixel_grows() -> None:
    np.testing.assert_array_equal(
        imresize(np.full((1, 1, 3), 7, np.uint8), 4), np.full((4, 4, 3), 7)
    )


@pytest.mark.data
@pytest.mark.parametrize("name", ["Set5/x2", "Set5/x4", "Set14/x2", "Set14/x4"])
def test_gives_the_test_sets_low_resolution_images_bit_for_bit(name: str) -> None:
    root = os.environ.get("ANAMORPH_DATA")
    if not root:
        pytest.skip("ANAMORPH_DATA is not set: the test sets are not here")
    folder = Path(root, "super_resolution", name)
    highs = sorted(folder.glob("*_HR.png"))
    assert highs
    for path in highs:
        given = decode(path.with_name(path.name.replace("_HR", "_LR")))
        np.testing.assert_array_equal(shrink(decode(path), int(name[-1])), given)
