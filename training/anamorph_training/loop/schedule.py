"""Learning rates as functions of the step, never of wall time."""

import math

from torch.optim import Optimizer


def warm_cosine(step: int, *, steps: int, warm_up: int, peak: float, floor: float) -> float:
    """Rise linearly to ``peak``, then fall along half a cosine to ``floor``.

    Args:
        step: Counted from 0.
        steps: Length of the run; the last step gets ``floor``.
        warm_up: Steps until the peak.
        peak: Greatest learning rate.
        floor: Last learning rate.
    """
    if step < warm_up:
        return peak * (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - 1 - warm_up)
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def two_cosines(
    step: int,
    *,
    steps: int,
    first: int,
    warm_up: int,
    first_floor: float,
    second_peak: float,
    floor: float,
) -> float:
    """Fall from 1 along a cosine over the first steps, and along another one over the rest.

    Both begin with a linear rise.

    Args:
        step: Counted from 0.
        steps: Length of the run; the last step gets ``floor``.
        first: Steps of the first cosine; 0 for none, and a second one that begins at 1.
        warm_up: Steps of each rise.
        first_floor: Of the first cosine.
        second_peak: Of the second cosine.
        floor: Of the second cosine.
    """
    if step < first:
        return warm_cosine(step, steps=first, warm_up=warm_up, peak=1.0, floor=first_floor)
    rest, peak = steps - first, second_peak if first else 1.0
    return warm_cosine(step - first, steps=rest, warm_up=warm_up, peak=peak, floor=floor)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every parameter group the same learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
