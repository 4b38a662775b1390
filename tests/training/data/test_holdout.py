"""Held-out pictures."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.training.conftest import smooth_picture

from anamorph.errors import InputError
from anamorph_training.data.folder import decode
from anamorph_training.data.holdout import crop_holdout, hold_out, save_holdout
from anamorph_training.data.pairs import Pair

Pixels = NDArray[np.uint8]


def pairs_named(*names: str) -> list[Pair]:
    pixels = np.zeros((1, 1, 3), np.uint8)
    return [Pair(pixels, pixels, Path(name)) for name in names]


def names(pairs: list[Pair]) -> list[str]:
    return [pair.source.name for pair in pairs]


def test_every_twentieth_is_held_out_and_never_trained_on() -> None:
    training, held = hold_out(pairs_named(*(f"{number}.png" for number in range(60))))
    assert names(held) == ["10.png", "30.png", "50.png"]
    assert not set(names(training)) & set(names(held))
    assert len(training) + len(held) == 60


def test_few_pictures_still_leave_one_held_out() -> None:
    training, held = hold_out(pairs_named("a", "b", "c"))
    assert (names(training), names(held)) == (["a", "b"], ["c"])


def test_one_picture_cannot_be_held_out_and_trained_on() -> None:
    with pytest.raises(InputError, match=r"only\.png.* give two pictures.*--valid"):
        hold_out(pairs_named("only.png"))


def test_at_most_16_centres_of_at_most_512_pixels_are_kept(tmp_path: Path) -> None:
    high = smooth_picture(0, 40, 600)
    pairs = [Pair(high, high[::4, ::4], Path("x"))] * 50
    held = crop_holdout(pairs, 4)
    assert len(held) == 16
    assert held[0].high.shape == (40, 512, 3)
    assert held[0].low.shape == (10, 128, 3)
    np.testing.assert_array_equal(held[0].high, high[:, 44:556])
    (tmp_path / "holdout").mkdir()
    (tmp_path / "holdout" / "16.png").write_text("of a former attempt")
    save_holdout(tmp_path, held)
    files = sorted((tmp_path / "holdout").iterdir())
    assert len(files) == 32
    np.testing.assert_array_equal(decode(files[0]), held[0].high)
    np.testing.assert_array_equal(decode(files[1]), held[0].low)


def test_partners_are_made_by_the_degradation_the_same_every_time() -> None:
    def speckle(high: Pixels, scale: int, generator: np.random.Generator) -> Pixels:
        return generator.integers(0, 256, high[::scale, ::scale].shape, np.uint8)

    high = smooth_picture(0, 40, 40)
    pairs = [Pair(high, high[::4, ::4], Path("x"))] * 2
    one, other = (crop_holdout(pairs, 4, speckle) for _ in range(2))
    assert one[0].low.shape == (10, 10, 3)
    assert not np.array_equal(one[0].low, one[1].low)
    np.testing.assert_array_equal(one[1].low, other[1].low)
