"""The photographs of a run: shrunk copies, and partners made by a degradation."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anamorph_training.data.photographs import find_photographs, prepare_photographs
from anamorph_training.degradation import shrink
from anamorph_training.recipes.repsr import Config


def prepare(photos: Path, *zooms: float, patch: int = 8) -> tuple[list[tuple[int, ...]], list[str]]:
    config, said = Config(data=photos, scale=2), list[str]()
    found = find_photographs(config)
    pictures = prepare_photographs(config, found, patch=patch, report=said.append, zooms=zooms)
    return [pair.high.shape for pair in pictures.training], said


def test_shrunk_copies_are_learnt_from_too(photos: Path) -> None:
    shapes, said = prepare(photos, 0.75, 0.5)
    assert shapes == [(48, 64, 3)] * 5 + [(36, 48, 3)] * 5 + [(24, 32, 3)] * 5
    assert prepare(photos, 0.75, 0.5) == (shapes, said)  # found in the cache the second time


def test_copies_too_small_for_a_crop_are_left_out_without_a_word(photos: Path) -> None:
    shapes, said = prepare(photos, 0.75, 0.5, patch=16)
    assert shapes == [(48, 64, 3)] * 5 + [(36, 48, 3)] * 5
    assert not any("left out" in line for line in said)


def test_copies_count_as_no_further_pictures(photos: Path) -> None:
    config = Config(data=photos, scale=2)
    found = find_photographs(config)
    plain, zoomed = (
        prepare_photographs(config, found, patch=8, report=lambda _: None, zooms=zooms)
        for zooms in ((), (0.5,))
    )
    assert plain.dataset == zoomed.dataset
    assert zoomed.dataset.items == 5


def test_held_out_partners_are_degraded_and_bicubic_is_measured_on_them(photos: Path) -> None:
    def darken(
        high: NDArray[np.uint8], scale: int, generator: np.random.Generator
    ) -> NDArray[np.uint8]:
        return shrink(high, scale) // 2

    config = Config(data=photos, scale=2)
    found = find_photographs(config)
    clean, dark = (
        prepare_photographs(config, found, patch=8, report=lambda _: None, degrade=degrade)
        for degrade in (None, darken)
    )
    np.testing.assert_array_equal(dark.held[0].low, clean.held[0].low // 2)
    assert dark.bicubic_psnr < clean.bicubic_psnr - 10
