"""dSprites are drawn from their factors, each of which changes what it should and nothing else."""

import numpy as np
import pytest

from anamorph_training.data.images import TrainingSprites
from anamorph_training.data.sprites import FACTORS, SIZES, Sprites


@pytest.fixture(scope="module")
def sprites() -> Sprites:
    return Sprites()


def moment(picture: np.ndarray) -> tuple[float, float, float]:
    rows, columns = np.nonzero(picture)
    return len(rows), float(columns.mean()), float(rows.mean())


def test_there_are_as_many_as_published_and_numbers_are_factors(sprites: Sprites) -> None:
    assert len(sprites) == 737_280
    assert len(FACTORS) == len(SIZES)
    factors = sprites.factors(np.arange(0, len(sprites), 12_345))
    assert (factors < np.array(SIZES)).all()
    assert np.array_equal(
        np.ravel_multi_index(tuple(factors.T), SIZES), np.arange(0, 737_280, 12_345)
    )


def test_pictures_are_black_and_white_and_whole(sprites: Sprites) -> None:
    generator = np.random.default_rng(0)
    drawn = sprites.take(generator.integers(len(sprites), size=500))
    assert drawn.shape == (500, 1, 64, 64)
    assert set(np.unique(drawn)) == {0, 255}
    for edge in (drawn[:, 0, 0], drawn[:, 0, -1], drawn[:, 0, :, 0], drawn[:, 0, :, -1]):
        assert not edge.any()


def test_a_position_moves_the_sprite_by_whole_pixels(sprites: Sprites) -> None:
    base = np.array([[2, 5, 7, 0, 31]])
    (first,) = sprites.draw(base)[:, 0]
    (moved,) = sprites.draw(base + np.array([0, 0, 0, 12, -9]))[:, 0]
    assert np.array_equal(np.roll(first, (-9, 12), axis=(0, 1)), moved)


def test_larger_scales_cover_more_and_turns_as_much(sprites: Sprites) -> None:
    sizes = [moment(sprites.draw(np.array([[0, s, 0, 16, 16]]))[0, 0])[0] for s in range(6)]
    assert sizes == sorted(set(sizes))
    assert sizes[5] == pytest.approx(4 * sizes[0], rel=0.15)
    turned = [moment(sprites.draw(np.array([[2, 5, t, 16, 16]]))[0, 0])[0] for t in range(40)]
    assert np.ptp(turned) < 0.06 * np.mean(turned)


def test_a_square_looks_the_same_after_a_quarter_and_a_heart_does_not(sprites: Sprites) -> None:
    for shape, alike in ((0, True), (1, False), (2, False)):
        once, quarter = sprites.draw(np.array([[shape, 5, 3, 16, 16], [shape, 5, 13, 16, 16]]))
        assert (np.mean(once != quarter) < 0.002) == alike


def test_what_is_held_out_is_never_learnt_from() -> None:
    training = TrainingSprites()
    assert len(training) + len(training.held) == len(training.sprites)
    numbers = np.arange(5000)
    kept = numbers + numbers // 1008 + 1
    assert not set(kept) & set(training.held)
    assert len(set(kept)) == 5000
    assert np.array_equal(training.take(numbers[:9]), training.sprites.take(kept[:9]))
