"""Interleaved rounds: the honest way to compare timings on a noisy machine."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

# Thread pools spin for a while after their work; a pause keeps one from slowing the next.
_PAUSE_SECONDS: Final = 0.1
LEAST_ROUNDS: Final = 5  # of which a median can be taken


@dataclass(frozen=True)
class Ratio:
    """How one contestant's time compares with a reference's.

    Attributes:
        name: What was measured.
        reference: What it was compared with.
        median: Median over the rounds of (time / time of the reference in the same round).
        least: Least of these ratios.
        greatest: Greatest of these ratios.
        bound: What the median must not exceed; None where nothing is promised.
        seconds: Median time.
        reference_seconds: Median time of the reference.
        rounds: Number of rounds.
    """

    name: str
    reference: str
    median: float
    least: float
    greatest: float
    bound: float | None
    seconds: float
    reference_seconds: float
    rounds: int

    @property
    def holds(self) -> bool:
        """Whether the median keeps to the bound."""
        return self.bound is None or self.median <= self.bound


def time_interleaved(
    contestants: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    pause: float = _PAUSE_SECONDS,
) -> dict[str, list[float]]:
    """Time each contestant once per round, in alternating order, after one unmeasured round.

    Args:
        contestants: What to run, by name.
        rounds: Measured rounds.
        pause: Seconds of rest before each run.

    Returns:
        Seconds of each round, by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    forward = list(contestants)
    for number in range(rounds + 1):
        order = forward if number % 2 else forward[::-1]
        for name in order:
            time.sleep(pause)
            begun = time.perf_counter()
            contestants[name]()
            if number:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def ratio(
    seconds: Mapping[str, list[float]], name: str, reference: str, *, bound: float | None = None
) -> Ratio:
    """Compare two contestants of ``time_interleaved`` round by round."""
    pairs = list(zip(seconds[name], seconds[reference], strict=True))
    ratios = [mine / other for mine, other in pairs]
    return Ratio(
        name=name,
        reference=reference,
        median=statistics.median(ratios),
        least=min(ratios),
        greatest=max(ratios),
        bound=bound,
        seconds=statistics.median(seconds[name]),
        reference_seconds=statistics.median(seconds[reference]),
        rounds=len(pairs),
    )
