from pathlib import Path

import numpy as np
import pytest
import pyvips
from tests.export.networks import made_examples

from anamorph.errors import InputError
from anamorph_export.measuring import Figures, measure_file, read_holdout, read_test_set


def save(path: Path, pixels: np.ndarray) -> None:
    pyvips.Image.new_from_array(pixels).pngsave(str(path))


def test_a_fitted_file_measures_better_than_bicubic(good_file: Path) -> None:
    figures = measure_file(good_file, "made", made_examples(2, seed=1))
    assert figures.pictures == 2
    assert figures.psnr_y > figures.psnr_y_bicubic + 1
    assert figures.ssim_y > figures.ssim_y_bicubic


def test_figures_stand_on_the_card_with_their_baseline() -> None:
    psnr, ssim = Figures("made", 2, 30.12345, 28.0, 0.87654321, 0.8).metrics()
    assert (psnr.name, psnr.on, psnr.unit, psnr.value) == ("psnr_y", "made", "dB", 30.123)
    assert (ssim.name, ssim.value, ssim.baseline) == ("ssim_y", 0.8765, 0.8)


def test_held_out_pictures_keep_the_partners_that_the_run_made(tmp_path: Path) -> None:
    (tmp_path / "holdout").mkdir()
    made = made_examples(1, seed=1)[0]
    save(tmp_path / "holdout" / "00_HR.png", made.high)
    save(tmp_path / "holdout" / "00_LR.png", 255 - made.low)
    (example,) = read_holdout(tmp_path, 2)
    np.testing.assert_array_equal(example.high, made.high)
    np.testing.assert_array_equal(example.low, 255 - made.low)


def test_a_run_that_kept_no_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="kept no held-out pictures"):
        read_holdout(tmp_path, 2)
    (tmp_path / "holdout").mkdir()
    save(tmp_path / "holdout" / "00.png", made_examples(1, seed=1)[0].high)
    with pytest.raises(InputError, match="of an older version; train it again"):
        read_holdout(tmp_path, 2)


def test_a_test_set_for_another_scale_is_refused(tmp_path: Path) -> None:
    for example in made_examples(2, seed=1):
        save(tmp_path / f"{example.name}_HR.png", example.high)
        save(tmp_path / f"{example.name}_LR.png", example.low)
    assert len(read_test_set(tmp_path, 2)) == 2
    with pytest.raises(InputError, match="is made for scale 2, the model's is 4"):
        read_test_set(tmp_path, 4)
