"""Arrays in files: mapped without a descriptor each, written by many at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anamorph_training.data.arrays import map_array, save_array


@pytest.mark.parametrize(
    "values",
    [
        np.arange(7, dtype=np.int16),
        np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
        np.asfortranarray(np.arange(6, dtype=np.float16).reshape(2, 3)),
    ],
)
def test_what_is_mapped_is_what_was_saved(values: np.ndarray, tmp_path: Path) -> None:
    save_array(tmp_path / "a.npy", values)
    mapped = map_array(tmp_path / "a.npy")
    assert mapped.dtype == values.dtype
    np.testing.assert_array_equal(mapped, values)
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = 1


@pytest.mark.usefixtures("few_descriptors")
def test_more_arrays_than_a_process_may_open_files(tmp_path: Path) -> None:
    save_array(tmp_path / "a.npy", np.arange(9))
    mapped = [map_array(tmp_path / "a.npy") for _ in range(400)]
    assert all(one.sum() == 36 for one in mapped)


def test_threads_may_save_the_same_array(tmp_path: Path) -> None:
    def save(values: np.ndarray) -> None:
        save_array(tmp_path / "a.npy", values)

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(save, [np.arange(50_000)] * 64))
    np.testing.assert_array_equal(map_array(tmp_path / "a.npy"), np.arange(50_000))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_nothing_is_left_of_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_array(tmp_path / "a.npy", np.arange(3))
    assert not list(tmp_path.iterdir())
