"""The practical degradation: what each stage does physically, and that nothing moves."""

import math
import threading
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.training.conftest import smooth_picture

from anamorph.errors import InputError
from anamorph_training.degradation import imresize, shrink
from anamorph_training.metrics import psnr_y
from anamorph_training.practical import (
    INTERPOLATIONS,
    MARGIN,
    MODERATE,
    Chain,
    Interpolation,
    Planes,
    Stage,
    add_noise,
    blur,
    degrade,
    draw_stages,
    jpeg,
    resize,
)

HARMED = Chain(clean=0)


def photograph(seed: int, side: int) -> NDArray[np.uint8]:
    """Return uint8 (side, side, 3) in 20..235 with detail of every size, a power of two a side."""
    generator = np.random.default_rng(seed)
    picture = np.zeros((side, side, 3))
    size = 4
    while size <= side:  # equal contrast in every octave would be noise: the fine has less
        detail = generator.normal(0, 1, (size, size, 1)) + generator.normal(0, 0.4, (size, size, 3))
        picture += imresize(detail, side / size) * (4 / size) ** 0.7
        size *= 2
    return np.clip(127 + 45 * picture, 20, 235).astype(np.uint8)


def to_planes(image: NDArray[Any]) -> Planes:
    return np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)


def spot(side: int, row: float, column: float, sigma: float) -> Planes:
    """Return a bright Gaussian on grey, with its centre where asked, in pixels."""
    rows, columns = np.mgrid[0:side, 0:side]
    distance = (rows - row) ** 2 + (columns - column) ** 2
    light = 40 + 180 * np.exp(-distance / (2 * sigma**2))
    return np.repeat(light[None], 3, axis=0).astype(np.float32)


def centroid(planes: Planes, background: float = 40) -> NDArray[np.float64]:
    """Return row and column of the light's centre, in pixels."""
    light = planes.mean(axis=0, dtype=np.float64) - background
    rows, columns = np.indices(light.shape)
    total = light.sum()
    return np.array([(light * rows).sum() / total, (light * columns).sum() / total])


def covariance(planes: Planes) -> NDArray[np.float64]:
    """Return the second moments of the light in rows and columns, in square pixels."""
    light = np.maximum(planes[0].astype(np.float64) - 1e-6, 0)  # below float32's rounding
    rows, columns = np.indices(light.shape)
    return np.cov(np.stack([rows.ravel(), columns.ravel()]), aweights=light.ravel(), ddof=0)


def shift_between(image: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Return by how many rows and columns ``other`` is moved, by least squares on the gradients.

    Both are blurred alike before, so that only the place of things is compared.
    """
    first, second = (
        blur(to_planes(picture), along=2, across=2).mean(axis=0)[8:-8, 8:-8].astype(np.float64)
        for picture in (image, other)
    )
    slopes = np.stack([slope.ravel() for slope in np.gradient(first)], axis=1)
    solution, *_ = np.linalg.lstsq(slopes, (first - second).ravel(), rcond=None)
    return np.asarray(solution)


def name_of(stage: Stage) -> str:
    return str(cast("partial[Planes]", stage).func.__name__)


def settings(stage: Stage) -> dict[str, Any]:
    return cast("partial[Planes]", stage).keywords


def test_the_measure_of_shifts_sees_them() -> None:
    image = imresize(photograph(0, 256), 0.25)
    moved = np.roll(image, (1, 0), axis=(0, 1))
    np.testing.assert_allclose(shift_between(image, moved), [1, 0], atol=0.15)


def test_blurs_variance_is_as_asked_and_adds_up() -> None:
    point = np.zeros((3, 65, 65), np.float32)
    point[:, 32, 32] = 1
    once = blur(point, along=1.5, across=1.5)
    np.testing.assert_allclose(covariance(once), np.eye(2) * 1.5**2, atol=0.01)
    twice = blur(once, along=2.0, across=2.0)
    np.testing.assert_allclose(covariance(twice), np.eye(2) * (1.5**2 + 2**2), atol=0.02)


def test_blurs_axis_turns_from_columns_to_rows() -> None:
    point = np.zeros((3, 65, 65), np.float32)
    point[:, 32, 32] = 1
    level = covariance(blur(point, along=4, across=1.5))
    np.testing.assert_allclose(level, np.diag([2.25, 16]), atol=0.05)
    angle = math.pi / 6
    axis = np.array([math.sin(angle), math.cos(angle)])  # rows, columns
    tilted = covariance(blur(point, along=4, across=1.5, angle=angle))
    assert axis @ tilted @ axis == pytest.approx(16, abs=0.05)
    assert tilted[0, 1] == pytest.approx((16 - 2.25) * axis[0] * axis[1], abs=0.05)


def test_no_blur_changes_nothing_and_edges_do_not_darken() -> None:
    planes = to_planes(photograph(1, 50))
    np.testing.assert_allclose(blur(planes, along=0, across=0), planes, atol=1e-3)
    flat = np.full((3, 31, 45), 77, np.float32)
    np.testing.assert_allclose(blur(flat, along=2.4, across=0.7, angle=1), flat, atol=1e-3)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_shrinking_keeps_flat_pictures_flat_and_ramps_in_place(
    interpolation: Interpolation,
) -> None:
    flat = resize(np.full((3, 60, 84), 200, np.float32), size=(41, 31), interpolation=interpolation)
    assert flat.shape == (3, 41, 31)
    np.testing.assert_allclose(flat, 200, rtol=1e-5)
    ramp = np.broadcast_to(np.arange(96, dtype=np.float32), (3, 8, 96))
    small = resize(ramp, size=(8, 57), interpolation=interpolation)
    expected = (np.arange(57) + 0.5) * 96 / 57 - 0.5
    # Kernels widened by no whole factor wave a little about the ramp, but do not drift off it.
    np.testing.assert_allclose(small[0, 0, 6:-6], expected[6:-6], atol=0.1)
    assert abs(np.mean((small[0, 0] - expected)[6:-6])) < 0.002


def test_shrinking_agrees_with_known_results() -> None:
    image = photograph(2, 48)
    bicubic = resize(to_planes(image), size=(12, 12), interpolation="bicubic")
    np.testing.assert_allclose(bicubic, imresize(image / 1.0, 0.25).transpose(2, 0, 1), atol=1e-2)
    area = resize(to_planes(image), size=(12, 12), interpolation="area")
    means = image.reshape(12, 4, 12, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(area, means.transpose(2, 0, 1), atol=1e-2)
    # Three samples become two: each covers one and a half.
    triple = np.tile(np.array([0, 30, 90], np.float32), (3, 3, 1))
    halves = resize(triple, size=(3, 2), interpolation="area")
    np.testing.assert_allclose(halves[0, 0], [10, 70], atol=1e-4)


@pytest.mark.parametrize("coloured", [False, True])
def test_read_noise_has_the_stated_sigma(coloured: bool) -> None:
    flat = np.full((3, 128, 128), 100, np.float32)
    generator = np.random.default_rng(3)
    noise = add_noise(flat, read=5, shot=0, coloured=coloured, generator=generator) - flat
    assert noise.std() == pytest.approx(5, rel=0.03)
    assert abs(noise.mean()) < 0.15
    correlation = np.corrcoef(noise.reshape(3, -1))[0, 1]
    assert correlation == pytest.approx(0 if coloured else 1, abs=0.03)


def test_shot_noises_variance_follows_the_light() -> None:
    generator = np.random.default_rng(4)
    deviations = []
    for level in (0, 63.75, 255):
        flat = np.full((3, 128, 128), level, np.float32)
        noisy = add_noise(flat, read=0, shot=6, coloured=True, generator=generator)
        deviations.append(float((noisy - flat).std()))
    assert deviations[0] == 0
    np.testing.assert_allclose(deviations[1:], [3, 6], rtol=0.03)


def test_read_and_shot_noise_add_in_variance() -> None:
    white = np.full((3, 128, 128), 255, np.float32)
    generator = np.random.default_rng(5)
    noise = add_noise(white, read=3, shot=4, coloured=True, generator=generator) - white
    assert noise.std() == pytest.approx(5, rel=0.03)


def test_jpeg_of_high_quality_is_near_identity_and_of_low_quality_is_not() -> None:
    planes = to_planes(photograph(6, 256))
    errors = []
    for quality in (100, 95, 75, 40):
        coded = jpeg(planes, quality=quality, subsampled=False)
        errors.append(float(np.sqrt(np.mean((coded - planes) ** 2))))
    assert errors == sorted(errors)
    assert errors[0] < 1  # rounding, of pixels and of their colours
    assert errors[1] < 2.5
    assert errors[3] > 2 * errors[1]


def test_subsampling_harms_colour_and_spares_lightness() -> None:
    planes = np.full((3, 32, 32), 120, np.float32)
    planes[0, :, ::2], planes[2, :, ::2] = 160, 80  # thin stripes of colour
    full = jpeg(planes, quality=95, subsampled=False)
    halved = jpeg(planes, quality=95, subsampled=True)
    assert np.ptp(full[0, 8, 8:24]) > 30
    assert np.ptp(halved[0, 8, 8:24]) < 20


def test_the_phase_moves_the_blocks_and_not_the_picture() -> None:
    ramp = np.broadcast_to(np.linspace(40, 200, 48, dtype=np.float32), (3, 48, 48))
    coded = jpeg(ramp, quality=1, subsampled=False, phase=(0, 3))  # blocks come out flat
    steps = np.flatnonzero(np.diff(coded[0, 24]))
    assert len(steps) >= 4
    assert set(steps % 8) == {4}  # the first block shows its last five columns
    assert coded.shape == ramp.shape
    moved = jpeg(to_planes(photograph(7, 48)), quality=100, subsampled=False, phase=(5, 11))
    np.testing.assert_allclose(moved, to_planes(photograph(7, 48)), atol=4)


@pytest.mark.parametrize(
    "stage",
    [
        partial(blur, along=2.4, across=0.4, angle=0.7),
        partial(resize, size=(24, 24), interpolation="bicubic"),
        partial(resize, size=(24, 24), interpolation="triangle"),
        partial(resize, size=(24, 24), interpolation="area"),
        partial(resize, size=(53, 61), interpolation="bicubic"),
        partial(resize, size=(53, 61), interpolation="triangle"),
        partial(resize, size=(53, 61), interpolation="area"),
        partial(jpeg, quality=75, subsampled=True, phase=(3, 9)),
        partial(jpeg, quality=75, subsampled=False),
    ],
)
def test_no_stage_moves_the_light_or_changes_its_amount(stage: Stage) -> None:
    planes = spot(96, 41.3, 52.8, 9)
    result = stage(planes)
    pitch = 96 / np.array(result.shape[1:])  # pixels of the picture per pixel of the result
    place = (centroid(result, float(np.median(result))) + 0.5) * pitch - 0.5
    np.testing.assert_allclose(place, [41.3, 52.8], atol=0.1)  # 0.025 pixels of the x4 partner
    assert result.mean() == pytest.approx(planes.mean(), abs=0.3)


def test_noise_moves_nothing_and_keeps_the_brightness() -> None:
    planes = to_planes(imresize(photograph(8, 256), 0.25))
    generator = np.random.default_rng(8)
    noisy = add_noise(planes, read=4, shot=6, coloured=True, generator=generator)
    moved = shift_between(planes.transpose(1, 2, 0), noisy.transpose(1, 2, 0))
    assert np.abs(moved).max() < 0.1
    assert noisy.mean() == pytest.approx(planes.mean(), abs=0.3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_whole_stays_where_the_bicubic_partner_is_and_as_bright(scale: int) -> None:
    image = photograph(9, 48 * scale)
    clean = shrink(image, scale)
    for seed in range(20):
        harmed = degrade(image, scale, np.random.default_rng(seed), chain=HARMED)
        assert np.abs(shift_between(clean, harmed)).max() < 0.1, seed
        assert harmed.mean() == pytest.approx(clean.mean(), abs=0.7), seed


def test_beyond_the_margin_borders_are_not_felt() -> None:
    patch, scale = 16, 4
    image = photograph(10, (patch + 4 * MARGIN) * scale)
    cut = slice(MARGIN * scale, -MARGIN * scale)
    crop = image[cut, cut]
    chain = Chain(clean=0, two_stages=0, noise=0, camera=0, delivery=0)
    inner = slice(MARGIN, -MARGIN)
    for seed in range(20):
        whole = degrade(image, scale, np.random.default_rng(seed), chain=chain)
        alone = degrade(crop, scale, np.random.default_rng(seed), chain=chain)
        truth = whole[2 * MARGIN : -2 * MARGIN, 2 * MARGIN : -2 * MARGIN].astype(int)
        difference = np.abs(truth - alone[inner, inner])
        assert difference.max() <= 1, seed


@pytest.mark.parametrize(("scale", "height", "width"), [(4, 64, 96), (3, 51, 48), (2, 34, 32)])
def test_gives_the_partners_size_and_the_same_bytes_from_the_same_state(
    scale: int, height: int, width: int
) -> None:
    image = smooth_picture(11, height, width)
    before = image.copy()
    results = set()
    for seed in range(8):
        once = degrade(image, scale, np.random.default_rng(seed))
        again = degrade(image, scale, np.random.default_rng(seed))
        assert once.dtype == np.uint8
        assert once.shape == (height // scale, width // scale, 3)
        np.testing.assert_array_equal(once, again)
        results.add(once.tobytes())
    assert len(results) == 8
    np.testing.assert_array_equal(image, before)


def test_gives_the_same_bytes_in_other_threads() -> None:
    image = photograph(12, 96)

    def work(seeds: range) -> list[bytes]:
        return [degrade(image, 4, np.random.default_rng(seed)).tobytes() for seed in seeds]

    found: dict[int, list[bytes]] = {}
    threads = [
        threading.Thread(target=lambda part=part: found.update({part: work(range(24))}))
        for part in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = work(range(24))
    assert all(found[part] == alone for part in range(4))


def test_the_order_varies_and_delivery_comes_last() -> None:
    chain = Chain(clean=0, blur=1, two_stages=1, noise=1, camera=0, delivery=1)
    orders = set()
    for seed in range(200):
        stages = draw_stages(192, 192, 4, np.random.default_rng(seed), chain=chain)
        names = tuple(name_of(stage) for stage in stages)
        assert names[-1] == "jpeg"
        orders.add(names[:-1])
        sizes = [settings(stage)["size"] for stage in stages if name_of(stage) == "resize"]
        assert sizes[-1] == (48, 48)
        assert 48 < sizes[0][0] < 192
    assert len(orders) == math.factorial(4) // 2  # the two stages of shrinking look alike


def test_stages_happen_as_often_as_the_chain_says() -> None:
    drawn = [
        [name_of(stage) for stage in draw_stages(192, 192, 4, np.random.default_rng(seed))]
        for seed in range(1000)
    ]
    for name, share in (
        ("blur", MODERATE.blur),
        ("add_noise", MODERATE.noise),
        ("resize", 1 + MODERATE.two_stages),
        ("jpeg", MODERATE.camera + MODERATE.delivery),
    ):
        assert np.mean([names.count(name) for names in drawn]) == pytest.approx(share, abs=0.06)
    last = np.mean([names[-1] == "jpeg" for names in drawn])
    assert last > MODERATE.delivery - 0.04


def test_blur_takes_the_same_share_of_a_small_pixel_wherever_it_stands() -> None:
    chain = Chain(clean=0, blur=1, blur_sigma=(0.5, 0.5), two_stages=0, noise=0, camera=0)
    for scale in (2, 4):
        found = set()
        for seed in range(20):
            stages = draw_stages(96, 96, scale, np.random.default_rng(seed), chain=chain)
            first, second = stages[:2]
            blurred = first if name_of(first) == "blur" else second
            pitch = 1 if blurred is first else scale
            found.add((settings(blurred)["along"] * pitch, pitch))
        assert found == {(0.5 * scale, 1), (0.5 * scale, scale)}


def test_a_clean_case_is_the_bicubic_partner() -> None:
    image = photograph(13, 64)
    clean = shrink(image, 4)
    np.testing.assert_array_equal(
        degrade(image, 4, np.random.default_rng(0), chain=Chain(clean=1)), clean
    )
    equal = sum(
        np.array_equal(degrade(image, 4, np.random.default_rng(seed)), clean) for seed in range(200)
    )
    assert 0.02 < equal / 200 < 0.2


def test_harm_is_measurable_and_grows_with_strength() -> None:
    image = photograph(14, 128)
    clean = psnr_y(imresize(shrink(image, 4), 4), image, 4)
    means = []
    for strength in (0.0, 1.0, 2.0):
        scores = []
        for seed in range(12):
            harmed = degrade(image, 4, np.random.default_rng(seed), strength, HARMED)
            scores.append(psnr_y(imresize(harmed, 4), image, 4))
        means.append(np.mean(scores))
    assert clean > means[1] + 0.2
    assert means[0] > means[1] > means[2]
    assert means[0] == pytest.approx(clean, abs=1.5)


@pytest.mark.parametrize("strength", [-0.5, math.nan])
def test_a_strength_below_nothing_is_refused(strength: float) -> None:
    with pytest.raises(InputError, match="give 0"):
        degrade(np.zeros((8, 8, 3), np.uint8), 4, np.random.default_rng(0), strength)
