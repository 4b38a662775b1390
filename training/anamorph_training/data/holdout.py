"""Pictures that a run never trains on: chosen, and kept with the run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anamorph.picture import Picture
from anamorph_training.data.folder import find_pictures
from anamorph_training.data.pairs import Pair
from anamorph_training.degradation import shrink

_EVERY: Final = 20
_MOST: Final = 16
_SIDE: Final = 512  # pixels


@dataclass(frozen=True)
class Held:
    """One held-out picture.

    Attributes:
        high: uint8 (height, width, 3), both sides multiples of the scale.
        low: uint8, its low-resolution partner.
    """

    high: NDArray[np.uint8]
    low: NDArray[np.uint8]


def split_files(files: list[Path], valid: Path | None) -> tuple[list[Path], list[Path]]:
    """Return training and held-out files: every 20th is held out where no folder is given."""
    if valid is not None:
        return files, find_pictures(valid)
    held = files[_EVERY // 2 :: _EVERY] or files[-1:]
    if len(files) == 1:
        return files, held  # nothing to hold out: it still shows whether training works
    chosen = set(held)
    return [path for path in files if path not in chosen], held


def crop_holdout(pairs: list[Pair], scale: int) -> list[Held]:
    """Return the centres of at most 16 pictures, evenly chosen, at most 512 pixels a side."""
    step = max(1, len(pairs) // _MOST)
    held = []
    for pair in pairs[::step][:_MOST]:
        height, width = (min(side, _SIDE) // scale * scale for side in pair.high.shape[:2])
        top, left = (pair.high.shape[0] - height) // 2, (pair.high.shape[1] - width) // 2
        high = np.ascontiguousarray(pair.high[top : top + height, left : left + width])
        held.append(Held(high, shrink(high, scale)))
    return held


def save_holdout(run: Path, held: list[Held]) -> None:
    """Write the held-out pictures into the run, so that export can measure without the data set."""
    folder = run / "holdout"
    folder.mkdir(exist_ok=True)
    for index, item in enumerate(held):
        file = folder / f"{index:02}.png"
        if not file.exists():
            Picture(item.high).save(file)
