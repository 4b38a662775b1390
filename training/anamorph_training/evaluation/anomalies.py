"""Figures of detectors: how well scores and heat tell what is not normal from what is."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anamorph.errors import InputError

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]

_PRO_LIMIT: Final = 0.3  # greatest false positive rate that AUPRO looks at


@dataclass(frozen=True)
class PixelFigures:
    """How well heat finds the pixels of anomalies, each from 0 to 1.

    Attributes:
        auroc: Area under the curve of true over false positive rate.
        ap: Average precision; as large as the share of anomalous pixels for heat that says nothing.
        aupro: Area under the mean overlap with each region, up to a false positive rate of 0.3.
        dice: Greatest 2 |A and B| / (|A| + |B|) of any threshold.
    """

    auroc: float
    ap: float
    aupro: float
    dice: float


def auroc(scores: Floats, wrong: Mask) -> float:
    """Return the chance that what is wrong scores more than what is not; ties count a half.

    Args:
        scores: Float (n,), greater where further from normal.
        wrong: bool (n,), both values present.

    Raises:
        InputError: All are right, or all wrong.
    """
    true, false = _rates(scores, wrong)
    return float(np.trapezoid(true, false))


def average_precision(scores: Floats, wrong: Mask) -> float:
    """Return the mean precision over the recall that each threshold adds.

    Args:
        scores: Float (n,), greater where further from normal.
        wrong: bool (n,), both values present.

    Raises:
        InputError: All are right, or all wrong.
    """
    hits, misses = _counts(scores, wrong)
    precision = hits[1:] / (hits[1:] + misses[1:])
    return float(np.sum(np.diff(hits) / hits[-1] * precision))


def best_dice(scores: Floats, wrong: Mask) -> float:
    """Return the greatest Dice coefficient that any threshold gives.

    Args:
        scores: Float (n,).
        wrong: bool (n,), both values present.

    Raises:
        InputError: All are right, or all wrong.
    """
    hits, misses = _counts(scores, wrong)
    return float(np.max(2 * hits / (hits + misses + hits[-1])))


def region_overlap(heat: Floats, masks: Mask, *, limit: float = _PRO_LIMIT) -> float:
    """Return the area under the mean overlap with each region, over the false positive rate.

    Every connected region counts alike, however small it is. The area is taken up to a limit and
    divided by it, so that 1 is the best. Bergmann et al., "The MVTec Anomaly Detection Dataset",
    2021, section 5.

    Args:
        heat: Float (n, height, width).
        masks: bool (n, height, width), True where not normal.
        limit: Greatest false positive rate, above 0.

    Raises:
        InputError: No pixel is wrong, or all are.
    """
    from scipy.ndimage import label

    _check_both(masks)
    weights = np.zeros(masks.shape)
    regions = 0
    for number, mask in enumerate(masks):
        numbered, count = label(mask, structure=np.ones((3, 3)))
        sizes = np.bincount(numbered.ravel(), minlength=count + 1)
        weights[number][mask] = 1 / sizes[numbered[mask]]
        regions += count
    order = np.argsort(-heat, axis=None, kind="stable")
    ends = _ends(heat.ravel()[order])
    overlap = np.concatenate([[0], np.cumsum(weights.ravel()[order])[ends] / regions])
    right = ~masks.ravel()[order]
    false = np.concatenate([[0], np.cumsum(right)[ends] / right.sum()])
    inside = false <= limit
    last = np.interp(limit, false, overlap)
    area = np.trapezoid(np.append(overlap[inside], last), np.append(false[inside], limit))
    return float(area / limit)


def measure_pixels(heat: Floats, masks: Mask) -> PixelFigures:
    """Take all figures of pixels.

    Args:
        heat: Float (n, height, width).
        masks: bool (n, height, width), True where not normal.

    Raises:
        InputError: No pixel is wrong, or all are.
    """
    scores, wrong = heat.ravel(), masks.ravel()
    return PixelFigures(
        auroc=auroc(scores, wrong),
        ap=average_precision(scores, wrong),
        aupro=region_overlap(heat, masks),
        dice=best_dice(scores, wrong),
    )


def _rates(scores: Floats, wrong: Mask) -> tuple[Floats, Floats]:
    hits, misses = _counts(scores, wrong)
    return hits / hits[-1], misses / misses[-1]


def _counts(scores: Floats, wrong: Mask) -> tuple[Floats, Floats]:
    """Return true and false positives for falling thresholds, from none to all."""
    _check_both(wrong)
    order = np.argsort(-scores, kind="stable")
    ends = _ends(scores[order])
    hits = np.cumsum(wrong[order])[ends]
    return np.append(0.0, hits), np.append(0.0, ends + 1 - hits)


def _ends(falling: Floats) -> NDArray[np.int64]:
    """Return the last place of each value in a falling line of them."""
    return np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)


def _check_both(wrong: Mask) -> None:
    if wrong.all() or not wrong.any():
        raise InputError(
            "all of the test set is normal, or none of it; give normal and anomalous pictures"
        )
