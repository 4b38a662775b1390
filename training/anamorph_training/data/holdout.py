"""Pictures that a run never trains on: chosen, and kept with the run."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anamorph.errors import InputError
from anamorph.picture import Picture
from anamorph_training.data.pairs import Pair
from anamorph_training.degradation import Degrade, shrink

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


def hold_out(pairs: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Return training and held-out pictures: every 20th is held out, at least one.

    Raises:
        InputError: There is only one, which cannot be both.
    """
    if len(pairs) < 2:
        raise InputError(
            f"{pairs[0].source}: is the only picture that can be used, and one must be held out; "
            "give two pictures, or a folder of held-out ones (--valid)"
        )
    held = range(_EVERY // 2, len(pairs), _EVERY) or range(len(pairs) - 1, len(pairs))
    training = [pair for index, pair in enumerate(pairs) if index not in held]
    return training, [pairs[index] for index in held]


def crop_holdout(pairs: list[Pair], scale: int, degrade: Degrade | None = None) -> list[Held]:
    """Return the centres of at most 16 pictures, evenly chosen, at most 512 pixels a side.

    Args:
        pairs: To choose from.
        scale: Pixels of a picture per pixel of its partner.
        degrade: Makes the partners, the same ones every time; None shrinks bicubically.
    """
    step = max(1, len(pairs) // _MOST)
    held: list[Held] = []
    for pair in pairs[::step][:_MOST]:
        height, width = (min(side, _SIDE) // scale * scale for side in pair.high.shape[:2])
        top, left = (pair.high.shape[0] - height) // 2, (pair.high.shape[1] - width) // 2
        high = np.ascontiguousarray(pair.high[top : top + height, left : left + width])
        if degrade is None:
            low = shrink(high, scale)
        else:
            low = degrade(high, scale, np.random.default_rng(len(held)))
        held.append(Held(high, low))
    return held


def save_holdout(run: Path, held: list[Held]) -> None:
    """Write the held-out pairs into a run, so that export can measure without the data set.

    Those of an attempt that never reached a checkpoint go: this one may train on them.
    """
    folder = run / "holdout"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    for index, item in enumerate(held):
        Picture(item.high).save(folder / f"{index:02}_HR.png")
        Picture(item.low).save(folder / f"{index:02}_LR.png")
