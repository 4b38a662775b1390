"""Pairs: decoded once, memory-mapped, bad files left out."""

from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import smooth_picture

from anamorph.errors import InputError, OutputError
from anamorph.picture import Picture
from anamorph_training.data import pairs as module
from anamorph_training.data.folder import find_pictures
from anamorph_training.data.pairs import Pair, default_cache, prepare_pairs
from anamorph_training.degradation import shrink


def prepare(folder: Path, *, patch: int = 8, scale: int = 4) -> tuple[list[Pair], list[str]]:
    said: list[str] = []
    found = prepare_pairs(
        find_pictures(folder), scale=scale, patch=patch, cache=default_cache(), report=said.append
    )
    return found, said


def test_pairs_are_mapped_and_belong_together(photos: Path) -> None:
    pairs, _ = prepare(photos)
    assert len(pairs) == 6
    for pair in pairs:
        assert not pair.high.flags.owndata
        assert not pair.low.flags.owndata
        np.testing.assert_array_equal(pair.low, shrink(np.asarray(pair.high), 4))


def test_sides_are_cut_to_a_multiple_of_the_scale(tmp_path: Path) -> None:
    Picture(smooth_picture(0, 39, 46)).save(tmp_path / "odd.png")
    pair = prepare(tmp_path)[0][0]
    assert pair.high.shape == (36, 44, 3)
    assert pair.low.shape == (9, 11, 3)


def test_a_second_run_decodes_nothing(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(photos)
    monkeypatch.setattr(module, "decode", None)
    assert len(prepare(photos)[0]) == 6


def test_a_changed_file_is_decoded_again(photos: Path) -> None:
    prepare(photos)
    Picture(smooth_picture(99, 48, 80)).save(photos / "0.png", force=True)
    assert prepare(photos)[0][0].high.shape == (48, 80, 3)


def test_bad_and_small_pictures_are_reported_and_left_out(photos: Path) -> None:
    (photos / "bad.png").write_text("not a picture")
    Picture(smooth_picture(0, 8, 8)).save(photos / "small.png")
    pairs, said = prepare(photos)
    assert len(pairs) == 6
    left_out = [line for line in said if line.startswith("left out")]
    assert len(left_out) == 2
    assert "bad.png" in left_out[0]
    assert "small.png: 8 x 8" in left_out[1]


def test_no_picture_left_is_an_error_that_says_what_to_do(photos: Path) -> None:
    prepare(photos)  # even where a run with smaller patches has decoded them
    with pytest.raises(InputError, match="at least 400 x 400 pixels"):
        prepare(photos, patch=100)


def test_a_cache_that_cannot_be_made_is_an_error(photos: Path) -> None:
    with pytest.raises(OutputError, match="choose another --cache"):
        prepare_pairs([], scale=2, patch=8, cache=photos / "0.png" / "cache", report=print)
