"""PSNR and SSIM on luma."""

import math

import numpy as np
import pytest
from tests.training.conftest import smooth_picture

from anamorph_training.metrics import luma, psnr_y, ssim_y


def test_luma_spans_16_to_235() -> None:
    ends = luma(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8))
    np.testing.assert_allclose(ends, [[16, 235]])


def test_grey_counts_as_replicated_grey() -> None:
    grey = smooth_picture(0, 16, 16)[..., 0]
    np.testing.assert_allclose(luma(grey), luma(np.repeat(grey[..., None], 3, axis=2)))


def test_equal_pictures_are_infinitely_near() -> None:
    picture = smooth_picture(0, 32, 32)
    assert psnr_y(picture, picture, 4) == math.inf
    assert ssim_y(picture, picture, 4) == pytest.approx(1)


def test_psnr_of_a_constant_error_is_what_the_formula_says() -> None:
    reference = np.full((20, 20, 3), 100, np.uint8)
    error = 5 * (65.481 + 128.553 + 24.966) / 255
    expected = 20 * math.log10(255 / error)
    assert psnr_y(reference + np.uint8(5), reference, 2) == pytest.approx(expected)


def test_the_border_does_not_count() -> None:
    reference = smooth_picture(0, 24, 24)
    spoilt = reference.copy()
    spoilt[:4] = 0
    spoilt[:, -4:] = 255
    assert psnr_y(spoilt, reference, 4) == math.inf


def test_ssim_falls_with_noise() -> None:
    reference = smooth_picture(0, 40, 40)
    noise = np.random.default_rng(0).integers(-20, 20, reference.shape)
    noisy = np.clip(reference + noise, 0, 255).astype(np.uint8)
    assert 0.2 < ssim_y(noisy, reference, 4) < 0.95
