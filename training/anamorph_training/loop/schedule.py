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


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every parameter group the same learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
