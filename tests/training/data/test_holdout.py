"""Held-out pictures."""

from pathlib import Path

import numpy as np
from tests.training.conftest import smooth_picture

from anamorph_training.data.folder import decode
from anamorph_training.data.holdout import crop_holdout, save_holdout, split_files
from anamorph_training.data.pairs import Pair


def test_every_twentieth_is_held_out_and_never_trained_on() -> None:
    files = [Path(f"{number}.png") for number in range(60)]
    training, held = split_files(files, None)
    assert len(held) == 3
    assert not set(training) & set(held)
    assert len(training) + len(held) == 60


def test_few_pictures_still_leave_one_held_out() -> None:
    files = [Path("a"), Path("b"), Path("c")]
    assert split_files(files, None) == ([Path("a"), Path("b")], [Path("c")])
    assert split_files(files[:1], None) == ([Path("a")], [Path("a")])


def test_a_folder_of_its_own_takes_precedence(photos: Path) -> None:
    training, held = split_files([Path("a")], photos)
    assert training == [Path("a")]
    assert len(held) == 6


def test_at_most_16_centres_of_at_most_512_pixels_are_kept(tmp_path: Path) -> None:
    high = smooth_picture(0, 40, 600)
    pairs = [Pair(high, high[::4, ::4], Path("x"))] * 50
    held = crop_holdout(pairs, 4)
    assert len(held) == 16
    assert held[0].high.shape == (40, 512, 3)
    assert held[0].low.shape == (10, 128, 3)
    np.testing.assert_array_equal(held[0].high, high[:, 44:556])
    save_holdout(tmp_path, held)
    save_holdout(tmp_path, held)  # a resume finds them there
    files = sorted((tmp_path / "holdout").iterdir())
    assert len(files) == 16
    np.testing.assert_array_equal(decode(files[0]), held[0].high)
