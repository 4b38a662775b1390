"""Texture figures against values that are known beforehand."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.training.conftest import smooth_picture

from anamorph import cli
from anamorph.errors import InputError
from anamorph.picture import Picture
from anamorph_training.degradation import imresize, shrink, to_uint8
from anamorph_training.evaluation.texture import (
    colour_cast,
    colour_error,
    harmonic_peaks,
    high_frequency_energy,
    measure_texture,
)
from anamorph_training.evaluation.upscaling import Example

Pixels = NDArray[np.uint8]
# How much of a grey level the luma keeps.
LUMA = 219 / 255


def _noise(sigma: float, height: int, width: int, *, seed: int = 0) -> Pixels:
    """Return grey white noise around 128."""
    noise = np.random.default_rng(seed).normal(128, sigma, (height, width, 1))
    return to_uint8(noise.repeat(3, 2))


def _example(high: Pixels, scale: int = 4) -> Example:
    return Example("picture", scale, high, shrink(high, scale))


def _wave(y: float, x: float, amplitude: float, height: int, width: int) -> NDArray[np.float64]:
    """Return a cosine of ``y`` and ``x`` cycles per pixel: float64 (height, width, 1)."""
    rows, columns = np.mgrid[:height, :width]
    phase = 2 * np.pi * (y * rows + x * columns) + np.pi / 4
    wave: NDArray[np.float64] = amplitude * np.cos(phase)[..., None]
    return wave


def test_the_originals_own_texture_is_one_zero_one() -> None:
    highs = [_noise(20, 96, 80, seed=seed) for seed in range(2)]
    texture = measure_texture(highs, [_example(high) for high in highs])
    assert texture.spectral_peak == texture.greatest_harmonic == 1
    assert texture.colour_cast == texture.colour_error == 0
    assert texture.high_frequency_energy == 1
    assert [score.image for score in texture.images] == ["picture", "picture"]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_nothing_stands_out_of_white_noise(scale: int) -> None:
    peaks = harmonic_peaks(_noise(20, 384, 384), scale)
    assert peaks.shape == (scale**2 - 1,)
    np.testing.assert_allclose(peaks, 1, atol=0.2)


@pytest.mark.parametrize(
    ("y", "x", "peaks"),
    [(0, 0.25, {0, 2}), (0.25, 0, {3, 11}), (0.25, 0.5, {5, 13}), (0.5, 0.5, {9})],
)
def test_a_grid_stands_out_by_its_power(y: float, x: float, peaks: set[int]) -> None:
    sigma, amplitude = 4.0, 3 * 2**0.5  # the wave's values are then 3 and -3: nothing is rounded
    noise = _noise(sigma, 320, 320)
    added = harmonic_peaks(to_uint8(noise + _wave(y, x, amplitude, 320, 320)), 4)
    plain = harmonic_peaks(noise, 4)
    # A cosine has half its squared amplitude for power, shared by its two frequencies unless they
    # are one, over the nine bins of a peak.
    power = amplitude**2 / 2 / len(peaks)
    expected = power / 9 / ((sigma**2 + 1 / 12) / 64**2)
    for index in range(15):
        if index in peaks:
            assert added[index] - plain[index] == pytest.approx(expected, rel=0.1)
        else:
            assert added[index] == pytest.approx(plain[index], abs=0.05)


@pytest.mark.parametrize("period", [5, 16 / 3, 8 / 3])
def test_a_grid_of_another_period_is_no_peak(period: float) -> None:
    noise = _noise(4, 256, 256)
    gridded = to_uint8(noise + _wave(0, 1 / period, 3, 256, 256))
    texture = measure_texture([gridded], [_example(noise)])
    assert texture.spectral_peak < 1.02


def test_a_grid_in_some_pictures_raises_the_peak_of_the_set() -> None:
    highs = [_noise(sigma, 96, 96, seed=int(sigma)) for sigma in (4, 40, 40, 40)]
    made = [to_uint8(highs[0] + _wave(0.25, 0.25, 3, 96, 96)), *highs[1:]]
    texture = measure_texture(made, [_example(high) for high in highs])
    assert texture.images[0].spectral_peak > 2
    assert texture.spectral_peak == pytest.approx(texture.images[0].spectral_peak ** 0.25)
    assert texture.greatest_harmonic > texture.spectral_peak


@pytest.mark.parametrize("cast", [(3, 3, 3), (-3, 3, 3), (0, 0, 9)])
def test_a_constant_cast_is_measured_in_levels(cast: tuple[int, int, int]) -> None:
    high = _noise(20, 64, 96)
    tinted = to_uint8(high + np.array(cast, np.float64))
    np.testing.assert_array_equal(colour_cast(tinted, high, 4), np.abs(cast))
    assert colour_error(tinted, high, 4) == 3
    assert measure_texture([tinted], [_example(high)]).colour_cast == 3


def test_errors_that_cancel_are_no_cast_but_an_error() -> None:
    high = np.full((64, 64, 3), 100, np.uint8)
    halves = high + np.uint8(6)
    halves[:, 32:] -= 12
    assert colour_cast(halves, high, 4).max() < 0.1
    assert colour_error(halves, high, 4) == pytest.approx(6, rel=0.1)


def test_invented_detail_is_no_error_of_colour() -> None:
    high = _noise(5, 128, 128)
    detailed = to_uint8(high + _wave(0.375, 0.3, 30, 128, 128))
    assert colour_error(detailed, high, 4) < 0.5


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_white_noise_adds_its_share_of_energy(scale: int) -> None:
    sigma = 10.0
    grey = np.full((384, 384, 3), 128, np.uint8)
    assert high_frequency_energy(grey, scale) == pytest.approx(0, abs=1e-12)
    outside = 1 - (17 / (16 * scale)) ** 2  # the low band: 8 bins on each side of zero
    expected = (sigma**2 + 1 / 12) * LUMA**2 * outside
    energy = high_frequency_energy(_noise(sigma, 384, 384), scale)
    assert energy == pytest.approx(expected, rel=0.03)


def test_the_energy_ratio_counts_added_noise() -> None:
    high = _noise(10, 320, 320)
    noisier = to_uint8(high + (_noise(10, 320, 320, seed=1).astype(np.float64) - 128))
    texture = measure_texture([noisier], [_example(high)])
    assert texture.high_frequency_energy == pytest.approx(2, rel=0.03)


@pytest.mark.parametrize(("frequency", "held"), [(0.09, True), (0.16, False), (0.45, False)])
def test_only_what_the_small_picture_cannot_hold_counts(frequency: float, held: bool) -> None:
    waves = to_uint8(128 + _wave(0, frequency, 50, 128, 128).repeat(3, 2))
    # All power lies in the band, but for an added 1/12 of rounding, or none does.
    power = LUMA**2 * 50**2 / 2
    expected = 0 if held else power
    assert high_frequency_energy(waves, 4) == pytest.approx(expected, abs=power * 0.01)


@pytest.mark.parametrize("edge", [np.s_[-20:], np.s_[:20], np.s_[:, -20:], np.s_[:, :20]])
def test_detail_near_an_edge_counts(edge: slice) -> None:
    picture = np.full((150, 130, 3), 128, np.uint8)
    picture[edge] = _noise(20, 150, 130)[edge]
    assert high_frequency_energy(picture, 4) > 1


def test_bicubic_enlargement_has_no_fine_detail() -> None:
    high = _noise(20, 128, 160)
    texture = measure_texture([imresize(shrink(high, 4), 4)], [_example(high)])
    assert texture.high_frequency_energy < 0.05
    assert texture.colour_cast < 0.5


def test_figures_do_not_depend_on_the_size() -> None:
    highs = [_noise(10, height, width, seed=3) for height, width in ((256, 256), (460, 604))]
    for frequency in (0.25, 0.3):
        waved = [to_uint8(high + _wave(0, frequency, 3, *high.shape[:2])) for high in highs]
        small, large = (
            measure_texture([made], [_example(high)])
            for made, high in zip(waved, highs, strict=True)
        )
        assert small.spectral_peak == pytest.approx(large.spectral_peak, rel=0.05)
        assert small.high_frequency_energy == pytest.approx(large.high_frequency_energy, rel=0.02)


def test_flat_pictures_have_finite_figures() -> None:
    flat = np.full((64, 64, 3), 200, np.uint8)
    same, noisy = (
        measure_texture([picture], [_example(flat)]) for picture in (flat, _noise(5, 64, 64))
    )
    assert same.spectral_peak == same.high_frequency_energy == 1
    assert np.isfinite([noisy.spectral_peak, noisy.high_frequency_energy]).all()
    assert noisy.high_frequency_energy > 100


def test_pictures_without_a_block_or_a_scale_are_refused() -> None:
    small = smooth_picture(0, 64, 60)
    with pytest.raises(InputError, match=r"60 x 64 pixels are too small .* at least 64 x 64"):
        measure_texture([small], [_example(small)])
    with pytest.raises(InputError, match="scale 1"):
        measure_texture([small], [Example("a", 1, small, small)])


def test_the_command_adds_texture_to_table_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    Picture(_noise(20, 96, 96)).save(folder / "a.png")
    words = ["evaluate", "upscale", "--data", str(folder), "-m", "bicubic", "-m", "lanczos"]
    assert cli.main([*words, "--texture"]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = [line.rsplit(maxsplit=2) for line in lines[lines.index("") + 1 :]]
    assert table[0] == ["bicubic", "lanczos"]
    assert [row[0].strip() for row in table[1:]] == [
        "spectral peak / truth's",
        "greatest harmonic / truth's",
        "colour cast of 255",
        "colour error of 255",
        "fine detail / truth's",
    ]
    assert cli.main([*words, "--texture", "--json"]) == 0
    for result in json.loads(capsys.readouterr().out)["results"]:
        assert result["texture"]["images"][0]["image"] == "a"
        assert 0 < result["texture"]["high_frequency_energy"] < 0.1
    assert cli.main([*words, "--json"]) == 0
    for result in json.loads(capsys.readouterr().out)["results"]:
        assert "texture" not in result


def test_the_command_refuses_small_pictures_before_it_measures(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "upscale", "--data", str(photos), "-m", "nosuchmodel", "--texture"]
    assert cli.main(words) == 1
    assert "too small to measure texture" in capsys.readouterr().err
